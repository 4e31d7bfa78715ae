// Taps: samples of the events that ingest accepts or rejects, for somebody who debugs a producer.
//
// Ingest threads offer what they see, a reader takes it. Nothing ever waits for a reader: each tap
// holds a bounded number of samples, and what does not fit is dropped and counted. While no tap is
// open, any() is all that a request costs.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/clock.hpp>

namespace sluice::tap {

inline constexpr std::size_t taps_max = 4;
// What a tap holds at most until its reader takes it.
inline constexpr std::size_t samples_max = 512;
inline constexpr std::size_t sample_bytes_max = 1U << 20;

enum class Outcome : std::uint8_t { accepted, rejected };

// What is wrong with an event, as answers list it.
struct Mistake {
  std::uint32_t index = 0;  // of the event in its request
  unsigned code = 0;
  std::string_view reason{};  // a literal
  std::string field{};
  std::string message{};
  bool quotes_values = false;  // the message may quote what the event says
};

// What an accepted event has that not all sources of the API's rules allow, as answers list it.
struct Doubt {
  std::uint32_t index = 0;  // of the event in its request
  std::string_view rule{};  // a literal
  std::string field{};
  std::string_view message{};  // a literal
};

struct Sample {
  Outcome outcome{};
  WallTime at{};
  std::string workspace{};
  std::string source{};       // empty: the event came on a path of the API
  std::string path{};         // of the request
  std::string producer{};     // empty: anonymous
  std::string request_id{};   // the producer's; empty: it sent none
  std::string traceparent{};  // empty: the request has none
  std::vector<Mistake> mistakes{};
  std::vector<Doubt> doubts{};  // of an accepted event: those that its request's answer lists
  // Accepted: canonical JSON. Rejected: as it came; empty when it could not be found in the body.
  std::string event{};
};

// What a tap is to show.
struct Wish {
  bool accepted = true;
  bool rejected = true;
  std::string source{};     // empty: of any, and of none
  std::string workspace{};  // empty: of any
  // At most so many per second, and of those that come this share.
  double per_second_max = 0;  // 0: no limit of this kind
  double share = 1;

  friend bool operator==(const Wish&, const Wish&) = default;
};

// What a number of events have in common.
struct Origin {
  Outcome outcome{};
  std::string_view workspace;
  std::string_view source;
};

// Outlives its readers. Thread-safe.
class Taps {
 public:
  struct Taken {
    std::vector<Sample> samples;
    std::uint64_t dropped = 0;  // since the last time, as the reader was too slow
  };
  // A tap that is open as long as this lives.
  class Reader {
   public:
    virtual ~Reader() = default;
    [[nodiscard]] virtual Taken take() = 0;
  };

  // Nothing when taps_max are open.
  [[nodiscard]] std::unique_ptr<Reader> open(Wish wish);
  // Relaxed: a tap that is just being opened may miss what comes at that moment.
  [[nodiscard]] bool any() const { return open_.load(std::memory_order_relaxed) > 0; }
  // `count` events of one request. `make` is called for those that are chosen, while a lock is
  // held.
  void offer(const Origin& origin, std::size_t count, MonoTime now,
             const std::function<Sample(std::size_t index)>& make);

 private:
  class Tap;

  std::atomic<std::size_t> open_{0};
  std::mutex mutex_;
  std::vector<Tap*> taps_;
};

}  // namespace sluice::tap

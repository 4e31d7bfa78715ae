// Synerise in simulated time: the simulator's strict model of it behind a network that loses,
// delays and breaks, with moods that a seed decides.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/rng.hpp>
#include <sluice/deliver/upstream.hpp>

#include "api_model.hpp"
#include "timeline.hpp"

namespace sluice::simulation {

class Vendor {
 public:
  // Bad moods come between now and `until`; if so, some of them for one kind of writes alone.
  Vendor(Timeline& timeline, Rng rng, MonoTime until, simulator::LedgerMode ledger,
         bool tells_kinds_apart);

  [[nodiscard]] const simulator::Ledger& ledger() const { return world_.ledger; }
  [[nodiscard]] bool takes_credentials() const;
  // Requests that came to the endpoint of another kind than their events were sent as.
  [[nodiscard]] std::uint64_t misaddressed() const { return misaddressed_; }

  // What one request comes to: it arrives, perhaps, and is answered, perhaps.
  void take(std::string path, std::string body,
            std::function<void(deliver::UpstreamAnswer)> answered);
  // What a process that died had sent arrives now, if it ever does: nothing that was sent before
  // comes in between what the next process sends.
  void receive_all();

 private:
  enum class Mood : std::uint8_t {
    good,
    unreachable,
    failing,         // 503
    throttling,      // 429, with Retry-After or without
    losing_request,  // the connection breaks before the request arrives
    losing_answer,   // and before the answer does
    hanging,         // the request is carried out, the answer never comes
    babbling,        // the answer is no HTTP
    narrow,          // 413 above a few events
    refusing,        // 401
    slow,
  };
  static constexpr std::uint64_t mood_count = 11;
  struct Phase {
    MonoTime from;
    MonoTime to;
    Mood mood;
    std::uint64_t percent;  // of the requests
    std::string_view path;  // the only one that it holds for; empty: all
  };

  // A request that arrives in a moment.
  struct UnderWay {
    std::string path;
    std::string body;
    std::shared_ptr<deliver::UpstreamAnswer> answer;
    bool arrived = false;
  };

  void arrive(UnderWay& request);
  [[nodiscard]] Mood mood(std::string_view path);
  void look_at_address(std::string_view path, std::string_view body);
  [[nodiscard]] deliver::UpstreamAnswer carry_out(const std::string& path, const std::string& body);
  [[nodiscard]] deliver::UpstreamAnswer refuse(Mood mood, const std::string& body);

  Timeline& timeline_;
  Rng rng_;
  simulator::World world_;
  simulator::ApiModel api_;
  std::vector<Phase> phases_;
  std::uint64_t misaddressed_ = 0;
  std::vector<std::shared_ptr<UnderWay>> under_way_;  // in the order in which they were sent
};

// The gateway's way to it; dies with the process.
class SimulatedUpstream final : public deliver::Upstream {
 public:
  SimulatedUpstream(Timeline& timeline, Vendor& vendor) : timeline_(timeline), vendor_(vendor) {}

  void post(std::string_view path, std::string_view body,
            std::function<void(deliver::UpstreamAnswer)> done) override;
  void refresh_credentials(std::function<void(Result<void>)> done) override;
  void stop() override {}

 private:
  Timeline& timeline_;
  Vendor& vendor_;
};

}  // namespace sluice::simulation

// From valid events to a group in the buffer: leaves out what came before, claims room for the
// rest, and hands it over. Knows no protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <sluice/accept/claim.hpp>
#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>
#include <sluice/buffer/buffer.hpp>
#include <sluice/buffer/dedup_window.hpp>
#include <sluice/event/group.hpp>
#include <sluice/normalise/normaliser.hpp>

namespace sluice::accept {

// Where a workspace's events go. What is pointed at outlives its users.
struct Intake {
  buffer::Admission* admission = nullptr;
  buffer::Buffer* buffer = nullptr;
  buffer::DedupWindow* dedup = nullptr;
};

// Whose events they are.
struct Request {
  std::uint32_t producer = 0;     // by its index from 1; 0: nobody's in particular
  std::optional<DedupKey> key{};  // of its idempotency key, with what it says
  std::string_view id{};          // told to who reuses the key
  WallTime received_at;
  std::string_view traceparent{};  // as it came; left out if it is none
};

// What a request comes to once its repetitions are left out.
struct Outcome {
  std::uint32_t events = 0;    // that go to the buffer
  std::uint32_t changed = 0;   // of them: those that change one that was accepted before
  std::uint32_t absorbed = 0;  // that came before
  // As the request is answered: if it is a repetition, as it was the first time.
  std::uint32_t accepted = 0;
  std::uint32_t duplicates = 0;
  bool replayed = false;  // it is a repetition
};

// Why none of a request's events is taken.
struct Refused {
  enum class Reason : std::uint8_t {
    full,             // there is no room
    event_pending,    // the same event is being stored for another request
    request_pending,  // a request with the same key is
    key_reused,       // another request came first with the key
  };
  Reason reason{};
  std::uint32_t events = 0;  // valid ones, with repetitions
  std::optional<buffer::DedupWindow::FirstRequest> first = std::nullopt;  // with the key
};

// An event that comes back and is not taken.
struct Withheld {
  std::uint32_t index = 0;     // in the request
  bool is_superseded = false;  // by a newer version; otherwise it is being stored for another
};

// A request's events, ready to be handed over. Unless they are, all that was reserved for them is
// given up when it ends. At most one of an acceptor at a time, which outlives it.
class Offer {
 public:
  ~Offer();
  Offer(Offer&& other) noexcept;
  Offer(const Offer&) = delete;
  Offer& operator=(const Offer&) = delete;
  Offer& operator=(Offer&&) = delete;

  [[nodiscard]] const Outcome& outcome() const { return outcome_; }
  // Once: passes the events on, and what a request with a key is answered, to be acknowledged at
  // `level`; where there is neither, waits for what they repeat. True: it is acknowledged already,
  // and `acknowledge` will not be called. Otherwise that is called once, on any thread, with the
  // outcome; after an error all is given up. `producer` is this thread's index in the buffer.
  [[nodiscard]] bool hand_over(std::size_t producer, buffer::AckLevel level,
                               buffer::Buffer::Acknowledge acknowledge) noexcept;

 private:
  friend class Acceptor;
  Offer(const Intake& intake, const std::vector<DedupKey>& reserved)
      : intake_(intake), reserved_(&reserved) {}

  Intake intake_;
  const std::vector<DedupKey>* reserved_;  // nullptr: nothing is to be given up
  std::optional<DedupKey> reserved_request_{};
  std::optional<RememberedAnswer> answer_{};  // of a request that has a key
  Group::Owner group_{};
  std::optional<Claim> claim_{};
  Outcome outcome_{};
};

// One per ingest thread; not thread-safe.
class Acceptor {
 public:
  // Of `events`, those that came before are removed. An error has reserved nothing. Throws
  // std::bad_alloc, likewise.
  [[nodiscard]] Result<Offer, Refused> offer(const Intake& intake, const Request& request,
                                             normalise::Normalised& events, MonoTime now);
  // Events that were accepted before and come back. What was accepted since must not be replaced
  // by them, nor come between this look and the buffer: such events are removed, and named in
  // `withheld`, whatever is returned.
  [[nodiscard]] Result<Offer, Refused> offer_again(const Intake& intake, const Request& request,
                                                   normalise::Normalised& events, MonoTime now,
                                                   std::vector<Withheld>& withheld);

 private:
  Result<std::optional<RememberedAnswer>, Refused> look_up(const Request& request, Offer& offer,
                                                           MonoTime now);
  Result<void, Refused> reserve(normalise::Normalised& events, Offer& offer, MonoTime now);
  Result<void, Refused> claim_room(const Request& request, const normalise::Normalised& events,
                                   Offer& offer, MonoTime now) const;

  std::vector<DedupKey> reserved_;  // for the offer at hand
};

}  // namespace sluice::accept

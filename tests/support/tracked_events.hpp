// Events that a test can tell apart wherever they turn up, and what is promised about them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::test {

// Its profile, and its number there: from 0, in the order in which they are sent.
struct TrackedEvent {
  std::string profile;
  std::uint64_t number = 0;
  bool poison = false;  // the upstream refuses it

  auto operator<=>(const TrackedEvent&) const = default;
};

// What an event says that its producer changes and sends again, as shops do with the status of an
// order. Few, so that one comes back.
inline constexpr unsigned version_count = 3;

// Of each event that was changed: the version that was acknowledged last.
using Versions = std::map<TrackedEvent, unsigned>;

struct JsonOptions {
  bool salted = true;  // with an eventSalt of its own
  bool timed = true;   // with a time of its own
  unsigned version = 0;
  std::string_view kind{};  // as which it is sent; empty: it does not say
};
[[nodiscard]] std::string to_json(const TrackedEvent& event, const JsonOptions& options);
// From the JSON of the event, whatever was made of it, or a text that it is part of.
[[nodiscard]] TrackedEvent tracked_event(std::string_view json);
[[nodiscard]] unsigned version_of(std::string_view json);
// As which kind of write it says that it was sent; empty: it does not say.
[[nodiscard]] std::string_view kind_of(std::string_view json);
// The number behind this text, 0 when it is not there.
[[nodiscard]] std::uint64_t number_behind(std::string_view text, std::string_view key);

// Compares what was acknowledged with what has become of it.
class EventChecks {
 public:
  // `all_must_have_ended`: nothing is left in a buffer.
  EventChecks(const std::set<TrackedEvent>& acknowledged, bool all_must_have_ended)
      : acknowledged_(acknowledged), all_must_have_ended_(all_must_have_ended) {}

  // An event that the upstream has stored; call it in the order of first arrival.
  void stored(std::string_view json);
  // What was stored last of the events that were changed must be what was acknowledged last.
  void check_versions(const Versions& acknowledged);
  // A line of the dead-letter store.
  void dead_lettered(std::string_view line);

  // An event whose record the disk has damaged: it may be lost, or have been on its way upstream
  // when the gateway died, and arrive at any time. Before all else.
  void damaged(const TrackedEvent& event) { damaged_.insert(event); }

  // Once all of it is in: what is not as promised; a few examples are enough.
  [[nodiscard]] std::vector<std::string> violations() const;
  [[nodiscard]] std::size_t dead_letter_count() const { return dead_.size(); }

 private:
  void complain(std::vector<std::string>& violations, const char* what,
                const TrackedEvent& event) const;

  const std::set<TrackedEvent>& acknowledged_;
  bool all_must_have_ended_;
  std::set<TrackedEvent> stored_;
  std::set<TrackedEvent> dead_;
  std::set<TrackedEvent> damaged_;
  std::map<std::string, std::uint64_t> last_;  // number, by profile
  Versions versions_;                          // as stored
  std::vector<std::string> found_;
};

}  // namespace sluice::test

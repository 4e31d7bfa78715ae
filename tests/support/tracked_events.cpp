#include "tracked_events.hpp"

#include <charconv>

namespace sluice::test {
namespace {

constexpr std::size_t violations_max = 20;

}  // namespace

std::string to_json(const TrackedEvent& event, const JsonOptions& options) {
  const std::string number = std::to_string(event.number);
  return R"({"type":"custom","action":"tracked.event","label":"tracked","client":{"customId":")" +
         event.profile + R"("},)" + (options.timed ? R"("time":"2020-01-01T00:00:00.000Z",)" : "") +
         (options.salted ? R"("eventSalt":")" + event.profile + "/" + number + R"(",)" : "") +
         R"("params":{"n":)" + number + (event.poison ? R"(,"poison":1)" : "") +
         (options.kind.empty() ? "" : R"(,"sentAs":")" + std::string(options.kind) + '"') +
         R"(,"version":)" + std::to_string(options.version) + "}}";
}

TrackedEvent tracked_event(std::string_view json) {
  constexpr std::string_view key = R"("customId":")";
  const std::string_view profile = json.substr(json.find(key) + key.size());
  return {.profile = std::string(profile.substr(0, profile.find('"'))),
          .number = number_behind(json, R"("params":{"n":)"),
          .poison = json.find(R"("poison":1)") != std::string_view::npos};
}

unsigned version_of(std::string_view json) {
  return static_cast<unsigned>(number_behind(json, R"("version":)"));
}

std::string_view kind_of(std::string_view json) {
  constexpr std::string_view key = R"("sentAs":")";
  const std::size_t at = json.find(key);
  return at == std::string_view::npos
             ? std::string_view()
             : json.substr(at + key.size(), json.find('"', at + key.size()) - at - key.size());
}

std::uint64_t number_behind(std::string_view text, std::string_view key) {
  std::uint64_t number = 0;
  if (const std::size_t at = text.find(key); at != std::string_view::npos) {
    text.remove_prefix(at + key.size());
    std::from_chars(text.data(), text.data() + text.size(), number);
  }
  return number;
}

void EventChecks::stored(std::string_view json) {
  const TrackedEvent event = tracked_event(json);
  versions_[event] = version_of(json);
  if (!stored_.insert(event).second) {
    complain(found_, "counts twice", event);
    return;
  }
  if (damaged_.contains(event)) {
    return;
  }
  const auto [last, is_first] = last_.try_emplace(event.profile, event.number);
  if (!is_first && last->second >= event.number) {
    complain(found_, "came after a later one", event);
  }
  last->second = event.number;
}

void EventChecks::check_versions(const Versions& acknowledged) {
  for (const auto& [event, version] : acknowledged) {
    const auto found = versions_.find(event);
    if (found != versions_.end() && found->second != version && !damaged_.contains(event)) {
      const std::string what = "was last accepted as version " + std::to_string(version) +
                               " and stored as version " + std::to_string(found->second);
      complain(found_, what.c_str(), event);
    }
  }
}

void EventChecks::dead_lettered(std::string_view line) { dead_.insert(tracked_event(line)); }

std::vector<std::string> EventChecks::violations() const {
  std::vector<std::string> all = found_;
  for (const TrackedEvent& event : dead_) {
    if (!event.poison) {
      complain(all, "is a dead letter", event);
    }
  }
  if (!all_must_have_ended_) {
    return all;
  }
  for (const TrackedEvent& event : acknowledged_) {
    const bool has_ended = event.poison ? dead_.contains(event) : stored_.contains(event);
    if (!has_ended && !damaged_.contains(event)) {
      complain(all, "is lost", event);
    }
  }
  for (const TrackedEvent& event : stored_) {
    if (!acknowledged_.contains(event)) {
      complain(all, "was never acknowledged", event);
    }
  }
  return all;
}

void EventChecks::complain(std::vector<std::string>& violations, const char* what,
                           const TrackedEvent& event) const {
  if (violations.size() < violations_max) {
    violations.push_back("event " + std::to_string(event.number) + " of " + event.profile +
                         (event.poison ? " (poison) " : " ") + what);
  }
}

}  // namespace sluice::test

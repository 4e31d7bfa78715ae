#include "limits.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace sluice::normalise {
namespace {

// What is filled in where it is absent, and so does not count: an event that was accepted is
// accepted again as it came out.
constexpr std::array<std::string_view, 8> filled_in{
    "type", "label", "time", "params", "recordedAt", "metadata", "eventSalt", "originalTime"};

class LimitWalk {
 public:
  LimitWalk(JsonWalker& walker, const Rules& rules) : walker_(walker), rules_(rules) {}

  void value() {
    switch (walker_.peek()) {
      case '{':
        walker_.each_member([this](JsonWalker::Text key) { member(key.raw); });
        return;
      case '[':
        items();
        return;
      case '"':
        check_string(walker_.read_string().raw, "is a string");
        return;
      default:
        walker_.skip_token();
    }
  }

  std::optional<Rejection> outcome() && {
    if (!found_ && keys_ > rules_.event_keys_max) {
      found_ = {.reason = RejectReason::too_many_keys,
                .field = {},
                .message = "has " + std::to_string(keys_) + " keys, above limits.max_event_keys (" +
                           std::to_string(rules_.event_keys_max) + "): send fewer in one event"};
    }
    return std::move(found_);
  }

 private:
  void member(std::string_view key) {
    keys_ += std::ranges::find(filled_in, key) == filled_in.end() ? 1 : 0;
    const std::size_t before = path_.size();
    path_ += path_.empty() ? "" : ".";
    path_ += key.substr(0, name_bytes_max);
    check_string(key, "has a name");
    value();
    path_.resize(before);
  }
  void items() {
    const std::size_t before = path_.size();
    std::size_t position = 0;
    walker_.each_item([&] {
      path_ += '[' + std::to_string(position++) + ']';
      value();
      path_.resize(before);
    });
  }
  void check_string(std::string_view raw, std::string_view what) {
    if (found_ || raw.size() <= rules_.string_bytes_max) {
      return;
    }
    found_ = {.reason = RejectReason::string_too_long,
              .field = path_,
              .message = std::string(what) + " of " + std::to_string(raw.size()) +
                         " bytes, above limits.max_string_bytes (" +
                         std::to_string(rules_.string_bytes_max) + "): shorten it"};
  }

  // Of a name in a path.
  static constexpr std::size_t name_bytes_max = 64;

  JsonWalker& walker_;
  const Rules& rules_;
  std::string path_;
  std::size_t keys_ = 0;
  std::optional<Rejection> found_;  // the first string that is too long
};

}  // namespace

std::optional<Rejection> find_over_limit(JsonWalker& walker, const std::uint32_t* event,
                                         const Rules& rules) {
  const std::uint32_t* const behind = walker.mark();
  walker.rewind(event);
  LimitWalk walk(walker, rules);
  walk.value();
  walker.rewind(behind);
  return std::move(walk).outcome();
}

}  // namespace sluice::normalise

#include "place.hpp"

#include <algorithm>
#include <set>

#include <sluice/base/assert.hpp>
#include <sluice/event/api_limits.hpp>

#include "interpolate.hpp"
#include "keys.hpp"

namespace sluice::config {
namespace {

// Far above any configuration, far below what aliases of aliases unfold to.
constexpr std::size_t tree_nodes_max = 100'000;

std::string join(std::string_view path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

class TreeCheck {
 public:
  explicit TreeCheck(Reading& reading) : reading_(reading) {}

  // Stops at the first node that is too much.
  bool visit(const YAML::Node& node, const std::string& path, std::size_t depth) {
    if (++nodes_ > tree_nodes_max || depth > api::nesting_depth_max) {
      at(node, path)
          .mistake(fmt::format("goes on for more than {} levels or {} values",
                               api::nesting_depth_max, tree_nodes_max),
                   "write less, or use fewer aliases");
      return false;
    }
    if (node.IsSequence()) {
      return std::ranges::all_of(node,
                                 [&](const auto& item) { return visit(item, path, depth + 1); });
    }
    return !node.IsMap() || visit_map(node, path, depth);
  }

 private:
  bool visit_map(const YAML::Node& map, const std::string& path, std::size_t depth) {
    std::set<std::string> seen;
    for (const auto& member : map) {
      const YAML::Node& key = member.first;
      if (!key.IsScalar()) {
        at(key, path).mistake("has a key that is not text", "write plain text as the key");
        continue;
      }
      const std::string inner = join(path, key.Scalar());
      if (!seen.insert(key.Scalar()).second) {
        at(key, inner).mistake("is written twice", "keep one of them");
      }
      if (!visit(member.second, inner, depth + 1)) return false;
    }
    return true;
  }

  [[nodiscard]] Place at(const YAML::Node& node, const std::string& path) const {
    return {node, node.Mark().line + 1, path, reading_};
  }

  Reading& reading_;
  std::size_t nodes_ = 0;
};

}  // namespace

bool check_tree(const YAML::Node& root, Reading& reading) {
  return TreeCheck(reading).visit(root, "", 0);
}

Place Place::absent(std::string_view key) const {
  return {YAML::Node(YAML::NodeType::Null), line_, join(path_, key), *reading_};
}

void Place::mistake(std::string_view what, std::string mend) const {
  reading_->add({reading_->file, line_,
                 fmt::format("{} {}", path_.empty() ? "the file" : path_, what), std::move(mend)});
}

std::vector<Place> Place::items() const {
  std::vector<Place> places;
  if (is_null()) return places;
  if (!is_list()) {
    mistake("is not a list", "write a list: [..., ...]");
    return places;
  }
  for (const auto& item : node_) {
    places.emplace_back(item, item.Mark().line + 1, fmt::format("{}[{}]", path_, places.size()),
                        *reading_);
  }
  return places;
}

std::vector<Place> Place::items(std::string_view none, std::string mend) const {
  auto places = items();
  if (places.empty() && (is_list() || is_null())) mistake(none, std::move(mend));
  return places;
}

std::vector<Place> Place::items_or_one() const {
  return is_scalar() || is_map() ? std::vector{*this} : items();
}

std::vector<std::pair<std::string, Place>> Place::members() const {
  std::vector<std::pair<std::string, Place>> places;
  if (is_null()) return places;
  if (!is_map()) {
    mistake("is not a map", "write its keys below it, each with a value");
    return places;
  }
  for (const auto& member : node_) {
    const YAML::Node& key = member.first;
    if (!key.IsScalar()) continue;
    const YAML::Node& value = member.second;
    // What is wrong with a whole map or list is best found at its key, and a null that is not
    // written has no line of its own.
    const int line = (value.IsScalar() ? value : key).Mark().line + 1;
    places.emplace_back(key.Scalar(), Place(value, line, join(path_, key.Scalar()), *reading_));
  }
  return places;
}

std::optional<std::string> Place::text() const {
  if (!is_scalar()) {
    mistake(is_null()  ? "has no value"
            : is_map() ? "is a map, not a value"
                       : "is a list, not a value",
            "write one value");
    return std::nullopt;
  }
  bool complete = true;
  auto text = interpolate(node_.Scalar(), reading_->environment,
                          [&](const std::string& what, std::string mend) {
                            complete = false;
                            mistake(what, std::move(mend));
                          });
  return complete ? std::optional(std::move(text)) : std::nullopt;
}

std::optional<std::string> Place::text(bool (*valid)(std::string_view),
                                       std::string_view wanted) const {
  auto written = text();
  if (!written || valid(*written)) return written;
  mistake(fmt::format("is \"{}\", which is not {}", *written, wanted),
          fmt::format("write {}", wanted));
  return std::nullopt;
}

Section::Section(const Place& place, std::string_view name)
    : place_(place), keys_(keys_of(name).names), members_(place.members()) {
  for (const auto& [key, member] : members_) {
    if (std::ranges::find(keys_, key) == keys_.end()) {
      member.mistake("is not a known key", suggestion(key, keys_));
    }
  }
}

std::optional<Place> Section::find(std::string_view key) const {
  SLUICE_ASSERT(std::ranges::find(keys_, key) != keys_.end());
  const auto found = std::ranges::find(members_, key, &std::pair<std::string, Place>::first);
  return found == members_.end() ? std::nullopt : std::optional(found->second);
}

Place Section::place_of(std::string_view key) const {
  return find(key).value_or(place_.absent(key));
}

std::optional<Place> Section::require(std::string_view key, std::string mend) const {
  auto found = find(key);
  if (!found) mistake(fmt::format("has no {}", key), std::move(mend));
  return found;
}

void Section::mistake(std::string_view what, std::string mend) const {
  if (place_.is_map() || place_.is_null()) place_.mistake(what, std::move(mend));
}

}  // namespace sluice::config

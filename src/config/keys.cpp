#include "keys.hpp"

#include <algorithm>
#include <type_traits>

#include <sluice/base/assert.hpp>

#include "tables.hpp"

namespace sluice::config {

Keys::Keys(std::string_view of, std::string_view map_shape, std::vector<KeyInfo> rows)
    : section(of), shape(map_shape), infos(std::move(rows)) {
  for (const KeyInfo& info : infos) names.emplace_back(info.name);
}

const std::vector<Keys>& all_keys() {
  static const std::vector<Keys> all = [] {
    std::vector<Keys> made;
    [&]<class... S>(std::type_identity<std::tuple<S...>>) {
      (made.push_back(table<S>().infos()), ...);
    }(std::type_identity<Tables>());
    made.push_back(producer_key_keys());
    for (Keys& keys : mapping_keys()) made.push_back(std::move(keys));
    return made;
  }();
  return all;
}

const Keys& keys_of(std::string_view section) {
  const auto found = std::ranges::find(all_keys(), section, &Keys::section);
  SLUICE_ASSERT(found != all_keys().end());
  return *found;
}

void reconcile(Config& running, const Config& wanted, const Takes& takes) {
  reconcile_keys(takes, "", running, wanted);
}

}  // namespace sluice::config

// The query of a request's target. No I/O.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include <sluice/base/percent.hpp>
#include <sluice/base/result.hpp>

namespace sluice::admin {

// Of "workspace=shop&limit=10": calls `use` with each name and its value, until it gives an error.
template <class Use>
Result<void> read_parameters(std::string_view query, Use&& use) {
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    const std::size_t equals = std::min(part.find('='), part.size());
    std::string value = decode_percent(part.substr(std::min(equals + 1, part.size())));
    if (Result<void> used = use(part.substr(0, equals), std::move(value)); !used) {
      return used;
    }
  }
  return {};
}

}  // namespace sluice::admin

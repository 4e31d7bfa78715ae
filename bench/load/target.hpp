// The URL that the load goes to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <sluice/base/result.hpp>

namespace sluice::load {

struct Target {
  bool tls = false;
  std::string host;  // without the brackets of an IPv6 address
  std::uint16_t port = 0;
  std::string path;  // with the query; at least "/"

  // As the Host header has it.
  [[nodiscard]] std::string authority() const;
};

// http://HOST[:PORT][/PATH] or https://...; the error says what is wrong.
[[nodiscard]] Result<Target> parse_target(std::string_view url);

}  // namespace sluice::load

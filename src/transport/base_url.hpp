// The parts of a workspace's base_url.
#pragma once

#include <string>
#include <string_view>

#include <sluice/base/result.hpp>

namespace sluice::transport {

struct BaseUrl {
  bool tls = false;
  std::string host;  // IPv6 without brackets
  std::string port;
  std::string host_header;  // as HTTP wants it: brackets kept, the scheme's own port left out
};

// "http[s]://host[:port][/]": no user, path or query.
[[nodiscard]] Result<BaseUrl> parse_base_url(std::string_view text);

}  // namespace sluice::transport

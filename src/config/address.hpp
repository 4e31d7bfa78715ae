// Addresses to listen on and to send to.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <sluice/config/config.hpp>

namespace sluice::config {

// "127.0.0.1:8080", "[::1]:8080", "localhost:0", "unix:/run/sluice.sock". Other names than
// localhost are refused: what they resolve to when the daemon starts cannot be checked here.
[[nodiscard]] std::optional<ListenAddress> parse_listen_address(std::string_view text);
[[nodiscard]] std::string format(const ListenAddress& address);
// Whether only this machine can connect to it.
[[nodiscard]] bool is_local(const ListenAddress& address);

// "https://api.synerise.com", "http://[::1]:9000"; one slash at the end is let through.
struct BaseUrl {
  bool secure;
  std::string host;  // IPv6 without brackets
};
[[nodiscard]] std::optional<BaseUrl> parse_base_url(std::string_view text);
[[nodiscard]] bool is_loopback(const std::string& host);

}  // namespace sluice::config

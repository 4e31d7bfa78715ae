#include "target.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::load {
namespace {

std::unexpected<Error> refusal(std::string_view url, std::string_view what) {
  return failure(std::errc::invalid_argument,
                 std::string("'").append(url).append("' is not a target: ").append(what) +
                     ": write http://HOST:PORT/PATH or https://HOST:PORT/PATH");
}

}  // namespace

std::string Target::authority() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Target> parse_target(std::string_view url) {
  constexpr std::string_view plain = "http://";
  constexpr std::string_view secure = "https://";
  const bool tls = url.starts_with(secure);
  if (!tls && !url.starts_with(plain)) {
    return refusal(url, "it is neither http nor https");
  }
  // A blank or a line end would change the request's head.
  if (std::ranges::any_of(url, [](char c) { return c <= ' ' || c > '~'; })) {
    return refusal(url, "it holds what a URL cannot hold unescaped");
  }
  const std::string_view rest = url.substr(tls ? secure.size() : plain.size());
  const std::size_t path_at = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, path_at);
  const std::size_t host_end = authority.find(']');
  const std::size_t colon = authority.find(':', host_end == authority.npos ? 0 : host_end);
  std::string_view host = authority.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  if (host.empty() || host.find_first_of("@?#[]") != host.npos) {
    return refusal(url, "it names no host");
  }
  std::uint16_t port = tls ? 443 : 80;
  if (colon != authority.npos) {
    const char* end = authority.data() + authority.size();
    const auto [stop, error] = std::from_chars(authority.data() + colon + 1, end, port);
    if (error != std::errc{} || stop != end || port == 0) {
      return refusal(url, "its port is not a number from 1 to 65535");
    }
  }
  const std::string_view path = rest.substr(path_at);
  return Target{.tls = tls,
                .host = std::string(host),
                .port = port,
                .path = path.empty() ? "/" : std::string(path)};
}

}  // namespace sluice::load

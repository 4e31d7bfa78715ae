#include "address.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/un.h>

namespace sluice::config {
namespace {

using Ipv4 = std::array<unsigned char, 4>;
using Ipv6 = std::array<unsigned char, 16>;

template <class Bytes>
std::optional<Bytes> parse_ip(int family, const std::string& host) {
  Bytes bytes{};
  if (inet_pton(family, host.c_str(), bytes.data()) != 1) return std::nullopt;
  return bytes;
}

bool is_ip(const std::string& host) {
  return parse_ip<Ipv4>(AF_INET, host) || parse_ip<Ipv6>(AF_INET6, host);
}

// RFC 1123's letters, digits and hyphens. A name whose last label is a number is a mistyped IPv4
// address.
bool is_dns_name(std::string_view host) {
  const auto allowed = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.'; };
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return !host.empty() && host.size() <= 253 && !host.starts_with('.') && !last.empty() &&
         !host.contains("..") && std::ranges::all_of(host, allowed) &&
         !std::ranges::all_of(last, [](unsigned char c) { return std::isdigit(c) != 0; });
}

struct HostPort {
  std::string host;
  std::optional<std::uint16_t> port;
};

// host, host:port, [ipv6] or [ipv6]:port.
std::optional<HostPort> parse_host_port(std::string_view text) {
  HostPort parsed;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    parsed.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!parse_ip<Ipv6>(AF_INET6, parsed.host)) return std::nullopt;
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    parsed.host = text.substr(0, colon);
    port = text.substr(colon);
    if (!parse_ip<Ipv4>(AF_INET, parsed.host) && !is_dns_name(parsed.host)) return std::nullopt;
  }
  if (port.empty()) return parsed;
  std::uint16_t number = 0;
  const char* const end = port.data() + port.size();
  const auto [rest, error] = std::from_chars(port.data() + 1, end, number);
  if (port.front() != ':' || error != std::errc{} || rest != end) return std::nullopt;
  parsed.port = number;
  return parsed;
}

}  // namespace

std::optional<ListenAddress> parse_listen_address(std::string_view text) {
  constexpr std::string_view unix_prefix = "unix:";
  if (text.starts_with(unix_prefix)) {
    text.remove_prefix(unix_prefix.size());
    // The kernel's limit, with the zero at the end.
    if (!text.starts_with('/') || text.size() >= sizeof(sockaddr_un::sun_path)) return std::nullopt;
    return UnixAddress{std::string(text)};
  }
  auto parsed = parse_host_port(text);
  if (!parsed || !parsed->port) return std::nullopt;
  if (!is_ip(parsed->host) && parsed->host != "localhost") return std::nullopt;
  return TcpAddress{.host = std::move(parsed->host), .port = *parsed->port};
}

std::string format(const ListenAddress& address) {
  if (const auto* local = std::get_if<UnixAddress>(&address)) return "unix:" + local->path;
  const auto& tcp = std::get<TcpAddress>(address);
  return tcp.host.contains(':') ? fmt::format("[{}]:{}", tcp.host, tcp.port)
                                : fmt::format("{}:{}", tcp.host, tcp.port);
}

bool is_local(const ListenAddress& address) {
  const auto* tcp = std::get_if<TcpAddress>(&address);
  return tcp == nullptr || is_loopback(tcp->host);
}

std::optional<BaseUrl> parse_base_url(std::string_view text) {
  const bool secure = text.starts_with("https://");
  if (!secure && !text.starts_with("http://")) return std::nullopt;
  text.remove_prefix(secure ? 8 : 7);
  if (text.ends_with('/')) text.remove_suffix(1);
  auto parsed = parse_host_port(text);
  if (!parsed || parsed->port == 0) return std::nullopt;
  return BaseUrl{.secure = secure, .host = std::move(parsed->host)};
}

bool is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  if (const auto v4 = parse_ip<Ipv4>(AF_INET, host)) return v4->front() == 127;
  const auto v6 = parse_ip<Ipv6>(AF_INET6, host);
  return v6 && v6->back() == 1 &&
         std::all_of(v6->begin(), v6->end() - 1, [](unsigned char byte) { return byte == 0; });
}

}  // namespace sluice::config

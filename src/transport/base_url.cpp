#include "base_url.hpp"

#include <charconv>
#include <cstdint>

namespace sluice::transport {
namespace {

bool is_port(std::string_view text) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number != 0;
}

// A name, an IPv4 address, or what stands between the brackets of an IPv6 address.
bool is_host(std::string_view text, bool bracketed) {
  constexpr std::string_view letters_and_digits =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  const std::string allowed = std::string(letters_and_digits) + (bracketed ? ":." : "-._");
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

}  // namespace

Result<BaseUrl> parse_base_url(std::string_view text) {
  const auto refusal = [&] {
    return failure(std::errc::invalid_argument,
                   "the base URL '" + std::string(text) +
                       "' is not of the form http[s]://host[:port]: write it without a path, such "
                       "as https://api.synerise.com");
  };
  BaseUrl url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return refusal();
  }
  if (rest.ends_with('/')) {
    rest.remove_suffix(1);
  }
  const bool bracketed = rest.starts_with('[');
  const std::size_t host_end = bracketed ? rest.find(']') : rest.find(':');
  const std::string_view host = rest.substr(0, host_end).substr(bracketed ? 1 : 0);
  if (!is_host(host, bracketed) || (bracketed && host_end == std::string_view::npos)) {
    return refusal();
  }
  url.host = host;
  const std::string_view own_port = url.tls ? "443" : "80";
  const std::string_view port =
      host_end == std::string_view::npos ? "" : rest.substr(host_end + (bracketed ? 1 : 0));
  if (!port.empty() && (port.front() != ':' || !is_port(port.substr(1)))) {
    return refusal();
  }
  url.port = port.empty() ? own_port : port.substr(1);
  url.host_header = bracketed ? "[" + url.host + "]" : url.host;
  if (url.port != own_port) {
    url.host_header += ":" + url.port;
  }
  return url;
}

}  // namespace sluice::transport

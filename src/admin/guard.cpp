#include "guard.hpp"

#include <algorithm>
#include <array>

#include <boost/asio/ip/address.hpp>
#include <openssl/crypto.h>

#include <sluice/base/ascii.hpp>
#include <sluice/base/authority.hpp>
#include <sluice/base/json_text.hpp>
#include <sluice/base/sha256.hpp>

namespace sluice::admin {
namespace {

namespace http = boost::beast::http;

bool carries(std::string_view authorization, const config::Secret& token) {
  constexpr std::string_view scheme = "Bearer ";
  if (!equals_ignoring_case(authorization.substr(0, scheme.size()), scheme)) {
    return false;
  }
  // Of equal length, whatever the text's is.
  const auto given = sha256(authorization.substr(scheme.size()));
  const auto expected = sha256(token.value);
  return CRYPTO_memcmp(given.data(), expected.data(), given.size()) == 0;
}

bool is_json(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  type = type.substr(0, type.find_last_not_of(' ') + 1);
  return equals_ignoring_case(type, json);
}

// Zones of which nobody can have a name in the public DNS.
constexpr std::array<std::string_view, 5> closed_zones{".localhost", ".svc", ".local", ".internal",
                                                       ".home.arpa"};

bool ends_with(std::string_view name, std::string_view zone) {
  return name.size() > zone.size() &&
         equals_ignoring_case(name.substr(name.size() - zone.size()), zone);
}

// Labels of letters, digits, `-` and `_`, with dots between: what resolvers make of anything else,
// who knows.
bool is_plain_name(std::string_view name) {
  bool is_label = false;  // and not empty
  for (const char c : name) {
    if (c == '.' && !is_label) {
      return false;
    }
    if (c != '.' && c != '-' && c != '_' && !is_letter(c) && !is_digit(c)) {
      return false;
    }
    is_label = c != '.';
  }
  return is_label;
}

}  // namespace

bool is_cross_site(const Credentials& credentials) {
  if (credentials.origin.empty()) {
    return false;
  }
  const std::size_t scheme = credentials.origin.find("://");
  return scheme == std::string_view::npos ||
         !equals_ignoring_case(credentials.origin.substr(scheme + 3), credentials.host);
}

bool is_own_host(std::string_view host, const std::vector<std::string>& hosts) {
  if (host.empty()) {
    return true;  // no browser asks without a name
  }
  const auto authority = parse_authority(host);
  if (!authority) {
    return false;
  }
  std::string_view name = authority->host;
  boost::system::error_code not_an_address;
  if (authority->is_literal) {
    boost::asio::ip::make_address_v6(std::string(name), not_an_address);
    return !not_an_address;
  }
  boost::asio::ip::make_address_v4(std::string(name), not_an_address);
  if (!not_an_address) {
    return true;
  }
  name.remove_suffix(name.ends_with('.') ? 1 : 0);
  if (!is_plain_name(name)) {
    return false;
  }
  if (name.find('.') == std::string_view::npos) {
    return true;
  }
  return std::ranges::any_of(closed_zones, [&](auto zone) { return ends_with(name, zone); }) ||
         std::ranges::any_of(hosts,
                             [&](const auto& own) { return equals_ignoring_case(name, own); });
}

std::optional<Page> refuse_secret(const Credentials& credentials,
                                  const std::optional<config::Secret>& token,
                                  std::string_view why) {
  if (!token) {
    return problem(http::status::forbidden,
                   std::string(why) +
                       " as no token is configured: set admin.token_file (or admin.token), reload, "
                       "and send it as Authorization: Bearer");
  }
  if (!carries(credentials.authorization, *token)) {
    Page page = problem(http::status::unauthorized,
                        "send the token of admin.token_file as Authorization: Bearer");
    page.fields.emplace_back("WWW-Authenticate", "Bearer");
    return page;
  }
  return std::nullopt;
}

std::optional<Page> refuse_change(const Credentials& credentials,
                                  const std::optional<config::Secret>& token) {
  if (auto refused = refuse_secret(credentials, token, "nothing can be changed here")) {
    return refused;
  }
  if (!is_json(credentials.content_type)) {
    return problem(http::status::unsupported_media_type, "send Content-Type: application/json");
  }
  return std::nullopt;
}

Page problem(http::status status, std::string_view message) {
  std::string body =
      "{\"status\":" + std::to_string(static_cast<unsigned>(status)) + ",\"message\":";
  append_json_string(body, message);
  return {.status = status, .content_type = json, .body = body + "}\n"};
}

Page other_site() {
  return problem(http::status::forbidden, "the Origin is another site than the Host");
}

Page foreign_host() {
  return problem(
      http::status::forbidden,
      "the Host is no name that this gateway is known by: use its IP address, or add the "
      "name to admin.hosts");
}

Page wrong_method(std::string_view allowed) {
  Page page = problem(http::status::method_not_allowed, "this path takes other methods");
  page.fields.emplace_back("Allow", allowed);
  return page;
}

}  // namespace sluice::admin

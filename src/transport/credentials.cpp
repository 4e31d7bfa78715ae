#include "credentials.hpp"

#include <algorithm>
#include <optional>

#include <simdjson.h>

#include <sluice/base/base64.hpp>
#include <sluice/base/json_text.hpp>
#include <sluice/base/redactor.hpp>
#include <sluice/deliver/classify.hpp>
#include <sluice/event/api_limits.hpp>

namespace sluice::transport {
namespace {

std::optional<std::chrono::seconds> claim(const simdjson::dom::element& payload, const char* name) {
  double seconds = 0;  // a NumericDate may have a fraction
  constexpr double seconds_max = 1e11;
  if (payload[name].get(seconds) != simdjson::SUCCESS || !(seconds > 0 && seconds < seconds_max)) {
    return std::nullopt;
  }
  return std::chrono::seconds(static_cast<std::int64_t>(seconds));
}

// It becomes part of a header.
bool is_sendable(std::string_view token) {
  return !token.empty() && std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; });
}

// Its media type; and how it begins, if that is a page, in which no token is. Both may repeat what
// it was sent.
std::string what_came(const deliver::UpstreamAnswer& answer) {
  constexpr std::size_t words_max = 100;
  std::string text =
      std::to_string(answer.status) + " with " +
      (answer.body.empty()           ? std::string("no body")
       : answer.content_type.empty() ? std::string("no media type")
                                     : known_secrets().redacted(answer.content_type));
  if (answer.body.starts_with('<')) {
    text += ": " + known_secrets().redacted(answer.body, words_max);
  }
  return text;
}

}  // namespace

std::string basic_authorization(std::string_view workspace_guid, std::string_view api_key) {
  return "Basic " + encode_base64(std::string(workspace_guid) + ":" + std::string(api_key));
}

std::string login_body(std::string_view api_key) {
  std::string body = R"({"apiKey":)";
  append_json_string(body, api_key);
  return body + "}";
}

Result<std::string> token_in(const deliver::UpstreamAnswer& answer) {
  if (answer.failure != deliver::Failure::none) {
    return failure(std::errc::not_connected, "the login failed: " + answer.detail);
  }
  if (answer.status / 100 == 5 || answer.status == 429) {
    return failure(std::errc::resource_unavailable_try_again,
                   "the login failed with status " + std::to_string(answer.status));
  }
  if (deliver::classify(answer) == deliver::Outcome::misrouted) {
    return failure(std::errc::bad_message, "the login was answered with status " +
                                               std::to_string(answer.status) +
                                               ", which is not the API's: check base_url");
  }
  if (answer.status / 100 != 2) {
    return failure(std::errc::permission_denied,
                   "the login was refused with status " + std::to_string(answer.status));
  }
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  std::string_view token;
  if (parser.parse(answer.body).get(root) != simdjson::SUCCESS ||
      root["token"].get(token) != simdjson::SUCCESS || !is_sendable(token)) {
    return failure(std::errc::bad_message, "the answer to the login holds no token; it is " +
                                               what_came(answer) + ": check base_url");
  }
  return std::string(token);
}

std::chrono::seconds token_lifetime(std::string_view token, WallTime now) {
  constexpr std::chrono::seconds lifetime_min{1};
  const std::size_t first_dot = std::min(token.find('.'), token.size() - 1);
  const std::string_view from_payload = token.substr(first_dot + 1);
  const auto payload = decode_base64url(from_payload.substr(0, from_payload.find('.')));
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (!payload || parser.parse(*payload).get(root) != simdjson::SUCCESS) {
    return api::token_lifetime_default;
  }
  const auto expires = claim(root, "exp");
  if (!expires) {
    return api::token_lifetime_default;
  }
  const auto issued =
      claim(root, "iat").value_or(std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()));
  constexpr std::chrono::seconds lifetime_max = std::chrono::years(1);
  constexpr std::chrono::seconds far = std::chrono::years(100'000);  // what may be subtracted
  return std::clamp(std::clamp(*expires, -far, far) - std::clamp(issued, -far, far), lifetime_min,
                    lifetime_max);
}

}  // namespace sluice::transport

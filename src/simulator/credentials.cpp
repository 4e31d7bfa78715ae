#include "credentials.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <sluice/base/assert.hpp>
#include <sluice/base/base64.hpp>
#include <sluice/base/rng.hpp>

namespace sluice::simulator {
namespace {

constexpr std::string_view basic_scheme = "Basic ";
constexpr std::string_view bearer_scheme = "Bearer ";
constexpr std::string_view token_header = R"({"alg":"HS512","typ":"JWT"})";
constexpr std::string_view expiry_claim = R"("exp":)";

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

Credentials::Credentials(std::vector<WorkspaceKey> workspaces,
                         std::chrono::milliseconds token_lifetime, std::uint64_t seed)
    : workspaces_(std::move(workspaces)), token_lifetime_(token_lifetime) {
  Rng rng(seed);
  std::ranges::generate(key_, [&rng] { return rng(); });
}

Authorization Credentials::check(std::string_view header, WallTime now) const {
  if (header.empty()) {
    return Authorization::missing;
  }
  if (header.starts_with(basic_scheme)) {
    return check_basic(header.substr(basic_scheme.size()));
  }
  if (header.starts_with(bearer_scheme)) {
    return check_token(header.substr(bearer_scheme.size()), now);
  }
  return Authorization::invalid;
}

bool Credentials::knows_api_key(std::string_view api_key) const {
  return !api_key.empty() &&
         (workspaces_.empty() ||
          std::ranges::find(workspaces_, api_key, &WorkspaceKey::api_key) != workspaces_.end());
}

std::string Credentials::issue_token(WallTime now) {
  const auto seconds = [](WallTime time) {
    return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  };
  const std::string claims =
      fmt::format(R"({{"jti":"{}","iat":{},{}{}}})", tokens_issued_.fetch_add(1), seconds(now),
                  expiry_claim, seconds(now + token_lifetime_));
  const std::string text = encode_base64url(token_header) + "." + encode_base64url(claims);
  return text + "." + sign(text);
}

std::string Credentials::sign(std::string_view text) const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const unsigned char* signed_digest =
      HMAC(EVP_sha512(), key_.data(), static_cast<int>(sizeof key_), bytes_of(text), text.size(),
           digest.data(), &size);
  SLUICE_ASSERT(signed_digest != nullptr);
  return encode_base64url({reinterpret_cast<const char*>(digest.data()), size});
}

Authorization Credentials::check_basic(std::string_view encoded) const {
  const std::optional<std::string> pair = decode_base64(encoded);
  if (!pair) {
    return Authorization::invalid;
  }
  const std::string_view text = *pair;
  const std::size_t colon = text.find(':');
  if (colon == text.npos || colon == 0 || colon + 1 == text.size()) {
    return Authorization::invalid;
  }
  const bool known =
      workspaces_.empty() || std::ranges::any_of(workspaces_, [&](const WorkspaceKey& workspace) {
        return workspace.guid == text.substr(0, colon) &&
               workspace.api_key == text.substr(colon + 1);
      });
  return known ? Authorization::granted : Authorization::invalid;
}

Authorization Credentials::check_token(std::string_view token, WallTime now) const {
  const std::size_t signature = token.rfind('.');
  const std::size_t claims_start = token.find('.');
  if (signature == token.npos || signature == claims_start ||
      sign(token.substr(0, signature)) != token.substr(signature + 1)) {
    return Authorization::invalid;
  }
  // The signature proves that we wrote the claims, so their form is known.
  const std::optional<std::string> claims =
      decode_base64url(token.substr(claims_start + 1, signature - claims_start - 1));
  SLUICE_ASSERT(claims.has_value());
  const std::size_t expiry = claims->find(expiry_claim);
  SLUICE_ASSERT(expiry != std::string::npos);
  std::int64_t expires_s = 0;
  std::from_chars(claims->data() + expiry + expiry_claim.size(), claims->data() + claims->size(),
                  expires_s);
  return now < WallTime(std::chrono::seconds(expires_s)) ? Authorization::granted
                                                         : Authorization::expired;
}

}  // namespace sluice::simulator

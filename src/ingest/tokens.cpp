#include "tokens.hpp"

#include <charconv>
#include <span>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <sluice/base/assert.hpp>
#include <sluice/base/base64.hpp>

namespace sluice::ingest {
namespace {

// Every token of ours begins like this; one that says another algorithm is none of ours.
constexpr std::string_view header = R"({"alg":"HS256","typ":"JWT"})";
constexpr std::size_t signing_key_bytes = 32;
constexpr std::size_t key_id_bytes = 12;
constexpr std::size_t token_bytes_max = 512;

std::string_view text_of(std::span<const unsigned char> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

// What issue() writes and nobody else can sign: it need not be read as JSON of any form.
std::string payload(std::string_view key_id, WallTime now) {
  return R"({"sub":")" + std::string(key_id) + R"(","iat":)" + std::to_string(seconds_of(now)) +
         R"(,"exp":)" + std::to_string(seconds_of(now + token_lifetime)) + "}";
}

std::string_view between(std::string_view text, std::string_view before, std::string_view behind) {
  const std::size_t at = text.find(before);
  if (at == std::string_view::npos) {
    return {};
  }
  text.remove_prefix(at + before.size());
  return text.substr(0, text.find(behind));
}

}  // namespace

Tokens::Tokens(std::string_view signing_key) : signing_key_(signing_key) {
  if (signing_key_.empty()) {
    signing_key_.resize(signing_key_bytes);
    const int done = RAND_bytes(reinterpret_cast<unsigned char*>(signing_key_.data()),
                                static_cast<int>(signing_key_.size()));
    SLUICE_ASSERT(done == 1);
  }
}

Tokens::~Tokens() { OPENSSL_cleanse(signing_key_.data(), signing_key_.size()); }

std::array<unsigned char, 32> Tokens::sign(std::string_view text) const {
  std::array<unsigned char, 32> signature{};
  const unsigned char* const done = HMAC(
      EVP_sha256(), signing_key_.data(), static_cast<int>(signing_key_.size()),
      reinterpret_cast<const unsigned char*>(text.data()), text.size(), signature.data(), nullptr);
  SLUICE_ASSERT(done != nullptr);
  return signature;
}

std::string Tokens::key_id(const Sha256& key_hash) const {
  // A prefix that no token's text begins with keeps the two uses of the key apart.
  std::string text = "key:";
  text.append(text_of(key_hash));
  const auto signature = sign(text);
  return encode_base64url(text_of(std::span(signature).first(key_id_bytes)));
}

std::string Tokens::issue(std::string_view key_id, WallTime now) const {
  std::string token = encode_base64url(header) + "." + encode_base64url(payload(key_id, now));
  return token + "." + encode_base64url(text_of(sign(token)));
}

std::expected<TokenClaims, TokenFault> Tokens::verify(std::string_view token, WallTime now) const {
  const std::size_t last_dot = token.rfind('.');
  if (token.size() > token_bytes_max || last_dot == std::string_view::npos) {
    return std::unexpected(TokenFault::not_ours);
  }
  const std::string_view content = token.substr(0, last_dot);
  const std::string given(token.substr(last_dot + 1));
  const std::string expected = encode_base64url(text_of(sign(content)));
  if (given.size() != expected.size() ||
      CRYPTO_memcmp(given.data(), expected.data(), expected.size()) != 0) {
    return std::unexpected(TokenFault::not_ours);
  }
  const auto claims = decode_base64url(content.substr(content.find('.') + 1));
  const std::string_view expiry = claims ? between(*claims, "\"exp\":", "}") : "";
  std::int64_t expires_s = 0;
  if (!content.starts_with(encode_base64url(header) + ".") ||
      std::from_chars(expiry.data(), expiry.data() + expiry.size(), expires_s).ec != std::errc{}) {
    return std::unexpected(TokenFault::not_ours);
  }
  const WallTime expires_at{std::chrono::seconds(expires_s)};
  if (now >= expires_at) {
    return std::unexpected(TokenFault::expired);
  }
  return TokenClaims{.key_id = std::string(between(*claims, "\"sub\":\"", "\"")),
                     .expires_at = expires_at};
}

}  // namespace sluice::ingest

// The tokens of the vendor's login, as Sluice gives them to its producers: JWT (RFC 7519) with
// HS256. A token stands for one of a producer's keys for an hour: when that key goes, so does the
// token.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include <sluice/base/clock.hpp>
#include <sluice/base/sha256.hpp>

namespace sluice::ingest {

inline constexpr std::chrono::minutes token_lifetime{60};

enum class TokenFault : std::uint8_t {
  not_ours,  // no token, or not signed with our key
  expired,
};

struct TokenClaims {
  std::string key_id;
  WallTime expires_at;
};

// Immutable; shared by the ingest threads.
class Tokens {
 public:
  // `signing_key` is what instances have in common that accept each other's tokens; empty: one at
  // random, so that tokens end with the process.
  explicit Tokens(std::string_view signing_key);
  ~Tokens();
  Tokens(Tokens&&) = default;
  Tokens& operator=(Tokens&&) = default;

  [[nodiscard]] std::string issue(std::string_view key_id, WallTime now) const;
  // Takes the same time whatever is wrong with the signature.
  [[nodiscard]] std::expected<TokenClaims, TokenFault> verify(std::string_view token,
                                                              WallTime now) const;
  // What a token says in place of a producer's key, whose SHA-256 is given: of no use to whoever
  // reads it.
  [[nodiscard]] std::string key_id(const Sha256& key_hash) const;

 private:
  [[nodiscard]] std::array<unsigned char, 32> sign(std::string_view text) const;

  std::string signing_key_;
};

}  // namespace sluice::ingest

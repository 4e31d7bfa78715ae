// Who may call: workspaces' keys, and tokens for them. Tokens are JWTs signed with HS512 (the API's
// are RS512, which no client can or need check) and say when they expire. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/simulator/options.hpp>

namespace sluice::simulator {

// What an `Authorization` header comes to.
enum class Authorization : std::uint8_t {
  granted,
  missing,  // no header
  invalid,  // another scheme, malformed, or not one of ours
  expired,  // a token of ours whose time is over
};

class Credentials {
 public:
  // The signing key comes from the seed: a token of another seed is not valid.
  Credentials(std::vector<WorkspaceKey> workspaces, std::chrono::milliseconds token_lifetime,
              std::uint64_t seed);

  [[nodiscard]] Authorization check(std::string_view header, WallTime now) const;
  [[nodiscard]] bool knows_api_key(std::string_view api_key) const;
  // A new token, unlike all before.
  [[nodiscard]] std::string issue_token(WallTime now);

 private:
  [[nodiscard]] std::string sign(std::string_view text) const;
  [[nodiscard]] Authorization check_basic(std::string_view encoded) const;
  [[nodiscard]] Authorization check_token(std::string_view token, WallTime now) const;

  std::vector<WorkspaceKey> workspaces_;
  std::chrono::milliseconds token_lifetime_;
  std::array<std::uint64_t, 8> key_{};
  std::atomic<std::uint64_t> tokens_issued_{0};
};

}  // namespace sluice::simulator

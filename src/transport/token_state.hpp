// When to log in, and what a post does meanwhile: a state machine without I/O.
//
// There is at most one login at a time, and none starts within login_spacing of the start of the
// one before (with jitter after a failure), however often it is asked for: a wrong key does not
// become a flood.
#pragma once

#include <chrono>
#include <string>

#include <sluice/base/clock.hpp>
#include <sluice/base/rng.hpp>

namespace sluice::transport {

inline constexpr std::chrono::milliseconds login_spacing{1'000};

class TokenState {
 public:
  enum class Advice : std::uint8_t {
    use,            // token() is valid
    use_and_renew,  // token() is valid and nears its end: start a login and do not wait for it
    log_in,         // there is no valid token: start a login, then wait for it
    wait,           // a login is under way
    refuse,         // the last login failed, with refusal(), and it is too early for the next
  };

  explicit TokenState(Rng rng) : rng_(rng) {}

  [[nodiscard]] Advice ask(MonoTime now) const;
  [[nodiscard]] const std::string& token() const { return token_; }
  [[nodiscard]] const std::string& refusal() const { return refusal_; }
  [[nodiscard]] bool login_under_way() const { return login_under_way_; }

  // Forgets the token, which the upstream has refused.
  void discard();
  // A login begins; none is under way. Returns when it may be sent.
  [[nodiscard]] MonoTime login_started(MonoTime now);
  // The login that is under way has ended.
  void login_succeeded(MonoTime now, std::string token, std::chrono::seconds lifetime);
  void login_failed(MonoTime now, std::string why);

 private:
  Rng rng_;
  std::string token_;  // empty: none
  MonoTime renew_at_{};
  MonoTime expires_at_{};
  std::string refusal_;  // empty: the last login did not fail
  bool login_under_way_ = false;
  MonoTime next_login_at_{};
};

}  // namespace sluice::transport

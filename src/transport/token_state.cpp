#include "token_state.hpp"

#include <algorithm>
#include <utility>

#include <sluice/base/assert.hpp>

namespace sluice::transport {

TokenState::Advice TokenState::ask(MonoTime now) const {
  const bool may_log_in = !login_under_way_ && now >= next_login_at_;
  if (!token_.empty() && now < expires_at_) {
    return may_log_in && now >= renew_at_ ? Advice::use_and_renew : Advice::use;
  }
  if (login_under_way_) {
    return Advice::wait;
  }
  return may_log_in || refusal_.empty() ? Advice::log_in : Advice::refuse;
}

void TokenState::discard() { token_.clear(); }

MonoTime TokenState::login_started(MonoTime now) {
  SLUICE_ASSERT(!login_under_way_);
  login_under_way_ = true;
  const MonoTime send_at = std::max(now, next_login_at_);
  next_login_at_ = send_at + login_spacing;
  return send_at;
}

void TokenState::login_succeeded(MonoTime now, std::string token, std::chrono::seconds lifetime) {
  SLUICE_ASSERT(login_under_way_);
  login_under_way_ = false;
  refusal_.clear();
  token_ = std::move(token);
  expires_at_ = now + lifetime;
  // Between 80 and 90 percent, so that many gateways started together do not log in together for
  // ever.
  constexpr std::uint64_t steps = 1'000;
  const auto percent_80 = std::chrono::nanoseconds(lifetime) / 10 * 8;
  const auto jitter = std::chrono::nanoseconds(lifetime) / 10 / steps * rng_.below(steps);
  renew_at_ = now + percent_80 + jitter;
}

void TokenState::login_failed(MonoTime now, std::string why) {
  SLUICE_ASSERT(login_under_way_);
  login_under_way_ = false;
  refusal_ = std::move(why);
  const auto jitter = rng_.below(static_cast<std::uint64_t>(login_spacing.count()));
  next_login_at_ = now + login_spacing + std::chrono::milliseconds(jitter);
}

}  // namespace sluice::transport

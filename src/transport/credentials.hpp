// What is sent to prove who we are, and what comes back from a login. Pure functions.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>
#include <sluice/deliver/upstream.hpp>

namespace sluice::transport {

// The value of `Authorization` for Basic: RFC 7617.
[[nodiscard]] std::string basic_authorization(std::string_view workspace_guid,
                                              std::string_view api_key);

// {"apiKey":"..."}
[[nodiscard]] std::string login_body(std::string_view api_key);

// The token in the answer to a login. The errors: not_connected and resource_unavailable_try_again
// if the upstream is away, permission_denied if it refused the key, bad_message if what answered is
// not the API's login. They never repeat a JSON answer, which may hold a secret.
[[nodiscard]] Result<std::string> token_in(const deliver::UpstreamAnswer& answer);

// For how long a token received now is valid: from `iat` to `exp`, which does not depend on our
// clock; from now to `exp` where there is no `iat`; api::token_lifetime_default where it does not
// say (RFC 7519). Its signature is the upstream's business. At least a second.
[[nodiscard]] std::chrono::seconds token_lifetime(std::string_view token, WallTime now);

}  // namespace sluice::transport

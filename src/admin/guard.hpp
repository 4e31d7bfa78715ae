// Who may change something. No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/result.hpp>
#include <sluice/config/config.hpp>

#include "page.hpp"

namespace sluice::admin {

// Of a request's head; empty where it is not there.
struct Credentials {
  std::string_view host;
  std::string_view origin;
  std::string_view authorization;
  std::string_view content_type;
};

// A browser sends an Origin with what another site's page asks of it.
[[nodiscard]] bool is_cross_site(const Credentials& credentials);

// Whether a request by this name, of `Host`, can only be meant for us: an address, `localhost`, a
// name that no public one can be, or one of `hosts`. A page of another site may have its own name
// resolved to our address; what it then asks looks like a request from the site itself.
[[nodiscard]] bool is_own_host(std::string_view host, const std::vector<std::string>& hosts);

// Nothing: the request may see what only the token's holder may. `why` says what there is to see.
[[nodiscard]] std::optional<Page> refuse_secret(const Credentials& credentials,
                                                const std::optional<config::Secret>& token,
                                                std::string_view why);
// Nothing: the request may change something. Takes the same time whatever the token is.
[[nodiscard]] std::optional<Page> refuse_change(const Credentials& credentials,
                                                const std::optional<config::Secret>& token);

// {"status":403,"message":"…"}
[[nodiscard]] Page problem(boost::beast::http::status status, std::string_view message);
[[nodiscard]] Page other_site();
[[nodiscard]] Page foreign_host();
// `allowed` is a literal: the methods that the path takes.
[[nodiscard]] Page wrong_method(std::string_view allowed);

}  // namespace sluice::admin

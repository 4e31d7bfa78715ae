// The calls that change how the gateway runs: /reload and /quitquitquit.
#pragma once

#include <optional>
#include <string_view>

#include <sluice/admin/server.hpp>

#include "request.hpp"

namespace sluice::admin {

[[nodiscard]] bool is_control_path(std::string_view path);

// All of it outlives the coroutine.
[[nodiscard]] net::Task<Page> answer_control(const Request& request, const Hooks& hooks,
                                             const std::optional<config::Secret>& token);

}  // namespace sluice::admin

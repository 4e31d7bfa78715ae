// The answers to requests for /dlq and what is below it.
#pragma once

#include <optional>
#include <string_view>

#include <sluice/admin/dead_letters.hpp>
#include <sluice/config/config.hpp>

#include "request.hpp"

namespace sluice::admin {

[[nodiscard]] bool is_dead_letter_path(std::string_view path);

// All of it outlives the coroutine.
[[nodiscard]] net::Task<Page> answer_dead_letters(const Request& request, DeadLetters& letters,
                                                  const std::optional<config::Secret>& token);

}  // namespace sluice::admin

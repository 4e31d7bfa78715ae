// The dead letters' part of the admin API as text: what requests say, and what they are answered.
// No I/O.
#pragma once

#include <string>
#include <string_view>

#include <sluice/admin/dead_letters.hpp>
#include <sluice/base/result.hpp>

namespace sluice::admin {

// Of "workspace=shop&limit=10". The error says what is wrong with it.
[[nodiscard]] Result<deadletter::Query> parse_query(std::string_view query);
// Of {"ids":[…]}, {"filter":{…}} or {"all":true}, each perhaps with a "cursor".
[[nodiscard]] Result<Pass> parse_pass(std::string_view body);

[[nodiscard]] std::string to_json(const deadletter::Page& page, const DeadLetters::Totals& totals);
[[nodiscard]] std::string to_json(const PurgeReport& report);
[[nodiscard]] std::string to_json(const ReplayReport& report);

}  // namespace sluice::admin

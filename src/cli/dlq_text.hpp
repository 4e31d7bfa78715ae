// What `sluice dlq` says to a gateway, what it hears, and what it prints. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/result.hpp>
#include <sluice/deadletter/query.hpp>

namespace sluice::cli {

// "/dlq?workspace=shop&limit=100": of a query with a filter.
[[nodiscard]] std::string list_target(const deadletter::Query& query);
[[nodiscard]] Result<deadletter::Page> parse_list(std::string_view json);

// {"all":true,"cursor":"…"}; no cursor: from the beginning.
[[nodiscard]] std::string pass_body(const deadletter::Selection& selection,
                                    const std::string& cursor);

// What the gateway says of a replay or a purge.
struct Report {
  struct Kept {
    std::string id;
    std::string reason;
  };
  std::uint64_t done = 0;  // replayed or purged
  std::uint64_t kept = 0;
  std::vector<Kept> why;
  std::string stopped;
  std::string cursor;
};
[[nodiscard]] Result<Report> parse_report(std::string_view json);
// As the admin API has it, without the cursor. `verb` is "replayed" or "purged".
[[nodiscard]] std::string to_json(const Report& report, std::string_view verb);

// The message of an error's answer, or all of it.
[[nodiscard]] std::string message_of(std::string_view answer);

[[nodiscard]] std::string table_head();
[[nodiscard]] std::string table_row(const deadletter::Letter& letter);
[[nodiscard]] std::string description(const deadletter::Letter& letter);

}  // namespace sluice::cli

// What `sluice check --online` has found, as lines, as JSON, and as an exit code. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "commands.hpp"

namespace sluice::cli {

struct Finding {
  enum class Verdict : std::uint8_t {
    fine,
    doubtful,       // works, and somebody should look at it
    unavailable,    // does not work now: another time it may
    misconfigured,  // will not work before something is changed, here or at the vendor's
  };

  std::string of;    // the workspace's name; `gateway`: of the process as a whole
  std::string what;  // was looked at: `dns`, `tls`, `permission /v4/events/batch`
  Verdict verdict{};
  std::string detail;  // what was found, and what to do
};

// One line each, in columns: verdict, workspace, what, detail.
[[nodiscard]] std::string to_lines(std::span<const Finding> findings);
// {"ok":…,"findings":[{"of":…,"what":…,"verdict":…,"detail":…}]}
[[nodiscard]] std::string to_json(std::span<const Finding> findings);
// exit_configuration if something must be changed, else exit_unavailable if something is away, else
// exit_ok.
[[nodiscard]] int exit_code_of(std::span<const Finding> findings);

}  // namespace sluice::cli

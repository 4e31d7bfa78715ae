// The command line of `sluice`.
#pragma once

namespace sluice::cli {

// Exit codes, where they mean more than failure: those of sysexits.h.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 64;          // EX_USAGE
inline constexpr int exit_unavailable = 69;    // EX_UNAVAILABLE: needs a gateway that runs
inline constexpr int exit_undelivered = 75;    // EX_TEMPFAIL: stopped before all was done
inline constexpr int exit_configuration = 78;  // EX_CONFIG

// Runs the command that the arguments name; the exit code.
[[nodiscard]] int run(int argc, const char* const* argv);

}  // namespace sluice::cli

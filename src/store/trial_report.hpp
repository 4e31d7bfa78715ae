// What a trial finds, and how the process that wants to know gets to know it.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>

#include <sluice/store/engine.hpp>
#include <sluice/store/store.hpp>
#include <sluice/store/trial.hpp>

#include "codec.hpp"

namespace sluice::store {

struct TrialReport {
  enum class End : std::uint8_t {
    fine,     // it was opened and closed
    refused,  // it cannot be opened: `code`
    died,     // that ended the process, or it did not come back
    unknown,  // the process could not be started, or somebody else has ended it
  };
  End end = End::unknown;
  Errc code = Errc::failed;
  std::string text;                      // why, for people
  std::map<WorkspaceId, Ticket> next{};  // of the next group, by what is in it
  std::uint64_t stray_tables = 0;
  bool needs_memory = false;  // it would have taken more than it may
};

// `program` is run as `PROGRAM store-trial [--write] [--memory BYTES] DATABASE`; waits for its end,
// or for as long as any sound database would take; once it is `stopped`, for a moment.
[[nodiscard]] TrialReport try_opening(const std::string& program, const TrialTask& task,
                                      const TellOpening& tell, const std::stop_token& stopped = {});

// What run_trial() prints of it, and the other way round.
[[nodiscard]] std::string to_text(const TrialReport& report);
[[nodiscard]] TrialReport report_of(std::string_view text);

}  // namespace sluice::store

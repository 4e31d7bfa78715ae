// The store of dead letters: events that the upstream will never take, kept with everything that a
// person needs to mend and replay them.
//
// One JSON object per line, in `dead-letters.jsonl` of the configured folder: {"id", "workspace",
// "kind", "reason", "status", "answer", "attempts", "first_attempt_at", "last_attempt_at",
// "event"}. A line that a crash cut off is removed at the next start; it had not been acknowledged
// to anyone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>

namespace sluice::deadletter {

struct Letter {
  std::string workspace;
  std::string_view kind;  // "event" or "transaction"
  std::string_view reason;
  unsigned status = 0;  // of the upstream's answer
  std::string answer;   // its words
  std::uint32_t attempts = 0;
  WallTime first_attempt_at;
  WallTime last_attempt_at;
  std::string event;  // canonical JSON
};

// Thread-safe: calls take turns. Blocks for the disk; not for a thread that has other work.
class Store {
 public:
  virtual ~Store() = default;
  // All letters are on disk, synced, when this returns without an error. None counts as stored
  // after an error: the disk's, or `bytes_max` being reached (std::errc::no_space_on_device).
  virtual Result<void> append(std::span<const Letter> letters) = 0;
  [[nodiscard]] virtual std::uint64_t size_bytes() const = 0;
};

// Creates the folder where it is missing.
[[nodiscard]] Result<std::unique_ptr<Store>> open_store(const std::string& folder,
                                                        std::uint64_t bytes_max);

}  // namespace sluice::deadletter

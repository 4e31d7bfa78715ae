// What the admin API asks of the dead letters; the runtime answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sluice/base/result.hpp>
#include <sluice/deadletter/query.hpp>
#include <sluice/net/asio.hpp>

namespace sluice::admin {

// How far a pass over the store has come. Letters that are added meanwhile are behind `last`, so
// that a pass comes to an end.
struct Cursor {
  deadletter::LetterId after = 0;  // 0: nothing yet
  deadletter::LetterId last = 0;

  bool operator==(const Cursor&) const = default;
};

// From the beginning, or on from where the one before has stopped.
struct Pass {
  deadletter::Selection selection;
  std::optional<Cursor> cursor;
};

struct PurgeReport {
  std::uint64_t purged = 0;
  std::string stopped;           // why it could not go on; empty: it could
  std::optional<Cursor> cursor;  // where to go on; none: the end was reached
};

struct KeptLetter {
  deadletter::LetterId id = 0;
  std::string why;
};
// A report lists so many; the counts are exact all the same.
inline constexpr std::size_t kept_listed_max = 100;

struct ReplayReport {
  std::uint64_t replayed = 0;    // accepted again, and gone from the store
  std::uint64_t kept = 0;        // refused
  std::vector<KeptLetter> why;   // of those that were refused, the first ones
  std::string stopped;           // as of PurgeReport
  std::optional<Cursor> cursor;  // likewise
};

// Lives on the executor's thread, and outlives the coroutines.
class DeadLetters {
 public:
  virtual ~DeadLetters() = default;

  struct Totals {
    std::uint64_t letters = 0;
    std::uint64_t bytes = 0;
    std::uint64_t unreadable_lines = 0;
  };
  [[nodiscard]] virtual Totals totals() const = 0;
  [[nodiscard]] virtual net::Task<Result<deadletter::Page>> read(deadletter::Query query) = 0;
  // Each takes some seconds at most, and then says where to go on. One at a time: another one fails
  // (std::errc::device_or_resource_busy).
  [[nodiscard]] virtual net::Task<Result<PurgeReport>> purge(Pass pass) = 0;
  [[nodiscard]] virtual net::Task<Result<ReplayReport>> replay(Pass pass) = 0;
};

}  // namespace sluice::admin

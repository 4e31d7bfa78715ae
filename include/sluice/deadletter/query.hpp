// Which letters, and reading them: from the files, whether a gateway has them open or not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include <sluice/base/clock.hpp>
#include <sluice/base/result.hpp>
#include <sluice/deadletter/letter.hpp>

namespace sluice::deadletter {

// What is left empty does not matter; with nothing said, all letters fit.
struct Filter {
  std::string workspace{};
  std::string reason{};
  std::optional<WallTime> since{};  // the last attempt was then or later
  std::optional<WallTime> until{};  // or before this
  std::string contains{};           // in the event's JSON, byte by byte

  bool operator==(const Filter&) const = default;
};
using Selection = std::variant<Filter, std::set<LetterId>>;

enum class Order : std::uint8_t { oldest_first, newest_first };

// Reading and removing go through the files in bounded steps: a large store must not keep a thread
// for long.
inline constexpr std::size_t step_bytes_max = 64U << 20;
// A page has so many bytes of letters, and one letter more.
inline constexpr std::size_t page_bytes_max = 1U << 20;

struct Query {
  Selection selection{};
  Order order = Order::oldest_first;
  LetterId after = 0;              // begins behind this one, in the order; 0: at the beginning
  std::optional<LetterId> last{};  // ends with this one; with oldest_first only
  std::size_t letters_max = 100;   // at least 1
};

struct Page {
  std::vector<Letter> letters;
  // There may be more behind this one. A page can have few letters, or none, and still not be the
  // last.
  std::optional<LetterId> next;
  std::uint64_t unreadable_lines = 0;  // skipped on the way
};

// Blocks for the disk. A folder that is not there has no letters. What is appended meanwhile is
// seen or not; what is removed meanwhile likewise.
[[nodiscard]] Result<Page> read_letters(const std::string& folder, const Query& query);

}  // namespace sluice::deadletter

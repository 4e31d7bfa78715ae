// What the tests of this module share.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <sluice/deadletter/store.hpp>

namespace sluice::deadletter {

inline constexpr LetterId no_limit = ~LetterId{0};

inline Letter letter(const std::string& event, int second = 0, const std::string& workspace = "w",
                     const std::string& reason = "rejected") {
  const WallTime at(std::chrono::milliseconds(1'714'564'800'000) + std::chrono::seconds(second));
  return {.workspace = workspace,
          .kind = "event",
          .reason = reason,
          .status = 400,
          .answer = "bad \"sku\"",
          .attempts = 3,
          .first_attempt_at = at,
          .last_attempt_at = at + std::chrono::seconds(1),
          .event = event};
}

// All pages of a query.
inline std::vector<Letter> read_all(Store& store, Query query = {}) {
  std::vector<Letter> letters;
  while (true) {
    auto page = store.read(query);
    if (!page) {
      throw std::runtime_error(page.error().message);
    }
    letters.insert(letters.end(), page->letters.begin(), page->letters.end());
    if (!page->next) {
      return letters;
    }
    query.after = *page->next;
  }
}

inline std::vector<std::string> events_of(const std::vector<Letter>& letters) {
  std::vector<std::string> events;
  for (const Letter& letter : letters) {
    events.push_back(letter.event);
  }
  return events;
}

}  // namespace sluice::deadletter

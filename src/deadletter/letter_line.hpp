// Writes a letter as a line of the store.
#pragma once

#include <string>

#include <sluice/deadletter/letter.hpp>

namespace sluice::deadletter {

// With its line break.
void append_line(std::string& out, const Letter& letter, LetterId id);
[[nodiscard]] Letter copy_of(const LetterView& letter);

}  // namespace sluice::deadletter

// Writes a letter as a line of the store.
#pragma once

#include <string>

#include <sluice/deadletter/letter.hpp>

#include "line_parser.hpp"

namespace sluice::deadletter {

// With its line break.
void append_line(std::string& out, const Letter& letter, LetterId id);
[[nodiscard]] StoredLetter to_stored(const LetterView& letter, std::string_view line);

}  // namespace sluice::deadletter

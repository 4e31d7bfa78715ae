// Reads the lines of the store: from strict JSON to what is known of a letter.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include <simdjson.h>

#include <sluice/deadletter/letter.hpp>

namespace sluice::deadletter {

class LineParser {
 public:
  // The bytes that must be readable behind a line.
  static constexpr std::size_t padding_bytes = simdjson::SIMDJSON_PADDING;

  // Nothing for what is no letter. The whole line is checked, the event included: it is put into
  // other JSON as it stands. The views, into the line and into the parser, hold until the next
  // call. An `id` that is none of ours is 0.
  std::optional<LetterView> parse(std::string_view line);

 private:
  simdjson::ondemand::parser parser_;
};

}  // namespace sluice::deadletter

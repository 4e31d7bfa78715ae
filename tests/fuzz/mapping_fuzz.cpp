// Goal: whatever rules a configuration holds and whatever raw events come, a mapper that compiles
// makes JSON of them or says why not, and the normaliser has the last word.
//
// The input is a list of rules in YAML, a line `---`, and a body.
#include <cstdint>
#include <optional>

#include <sluice/config/load.hpp>
#include <sluice/normalise/mapper.hpp>
#include <sluice/normalise/normaliser.hpp>

#include "fuzz_support.hpp"

namespace sluice {
namespace {

constexpr std::size_t padding = normalise::Normaliser::padding_bytes;

config::Environment nothing() {
  return {.variable = [](const std::string&) { return std::optional<std::string>(); },
          .read_file = [](const std::string&) -> Result<std::string> {
            return failure(std::errc::no_such_file_or_directory, "no such file");
          }};
}

void map(const mapping::Mapper& mapper, std::string body, normalise::Framing framing) {
  static mapping::Mapper::Scratch scratch;
  static normalise::Normaliser normaliser{Rng(1)};
  const std::size_t size = body.size();
  body.resize(size + padding, ']');
  body.shrink_to_fit();
  std::string mapped;
  const auto take = [&](const mapping::MappingOutcome& outcome) {
    if (!outcome) {
      fuzz::check(!outcome.error().message.empty(), "a refusal says why");
      return true;
    }
    const std::string_view made = std::string_view(mapped).substr(outcome->offset, outcome->size);
    fuzz::check(fuzz::CompactJson(made).is_valid(), "what a rule makes is compact JSON", made);
    normalise::Normalised events;
    mapped.resize(mapped.size() + padding);
    normaliser.run_one(std::span(mapped).subspan(outcome->offset, outcome->size), 0,
                       {.kind = outcome->kind, .received_at = WallTime{}}, {}, events);
    for (const normalise::Rejection& rejection : events.rejections) {
      fuzz::check(rejection.reason != normalise::RejectReason::malformed_json,
                  "the normaliser reads what a rule makes");
    }
    return true;
  };
  static_cast<void>(mapper.map_body(std::span(body).first(size), framing, mapping::Mapper::no_limit,
                                    scratch, mapped, take));
}

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = input.find("\n---\n");
  if (cut == std::string_view::npos) {
    return 0;
  }
  const std::string rules =
      "workspaces:\n  - name: w\n    auth: {method: jwt, api_key: k}\nsources:\n  - name: s\n"
      "    workspace: w\n" +
      std::string(input.substr(0, cut)) + "\n";
  const auto config = config::parse(rules, "f", nothing());
  if (!config || config->sources.empty()) {
    return 0;
  }
  const auto mapper = mapping::Mapper::compile(*config->sources.front());
  fuzz::check(mapper.has_value(), "rules that the configuration takes can be compiled", rules);
  const std::string body(input.substr(cut + 5));
  map(*mapper, body, normalise::Framing::object_or_array);
  map(*mapper, body, normalise::Framing::lines);
  return 0;
}

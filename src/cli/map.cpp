#include <algorithm>
#include <iostream>
#include <iterator>

#include <sluice/base/json_text.hpp>
#include <sluice/cli/cli.hpp>
#include <sluice/normalise/mapper.hpp>
#include <sluice/normalise/normaliser.hpp>
#include <sluice/runtime/rules.hpp>

#include "commands.hpp"

namespace sluice::cli {
namespace {

const mapping::Source* find_source(const config::Config& config, const std::string& name) {
  if (config.sources.size() == 1 && name.empty()) {
    return config.sources.front().get();
  }
  for (const auto& source : config.sources) {
    if (source->name == name) {
      return source.get();
    }
  }
  std::cerr << "sluice map: "
            << (name.empty() ? "say which source with --source" : "no source `" + name + "`")
            << "; configured:";
  for (const auto& source : config.sources) {
    std::cerr << ' ' << source->name;
  }
  std::cerr << '\n';
  return nullptr;
}

void print_rejection(std::uint32_t index, std::string_view field, std::string_view message) {
  std::string line = "{\"rejected\":" + std::to_string(index) + ",\"field\":";
  append_json_string(line, field);
  line += ",\"message\":";
  append_json_string(line, message);
  std::cout << line << "}\n";
}

}  // namespace

int map(const std::string& config_file, const MapOptions& options) {
  const auto config = load_config(config_file);
  if (!config) {
    return config.error();
  }
  const mapping::Source* source = find_source(*config, options.source);
  if (source == nullptr) {
    return exit_failure;
  }
  const auto mapper = mapping::Mapper::compile(*source);
  if (!mapper) {
    std::cerr << "sluice map: " << mapper.error().message << '\n';
    return exit_configuration;
  }
  std::string raw{std::istreambuf_iterator<char>(std::cin), {}};
  const std::size_t size = raw.size();
  raw.resize(size + normalise::Normaliser::padding_bytes);
  mapping::Mapper::Scratch scratch;
  std::string mapped;
  std::vector<mapping::MappingOutcome> outcomes;
  const auto framing =
      options.lines ? normalise::Framing::lines : normalise::Framing::object_or_array;
  const auto body =
      mapper->map_body(std::span(raw).first(size), framing, scratch, mapped, outcomes);
  if (!body) {
    std::cerr << "sluice map: " << body.error().message << '\n';
    return exit_failure;
  }
  mapped.resize(mapped.size() + normalise::Normaliser::padding_bytes);
  normalise::Normaliser normaliser(Rng::from_system_entropy());
  const auto workspace =
      std::ranges::find(config->workspaces, source->workspace, &config::Workspace::name);
  const normalise::Rules rules = runtime::rules_of(*config, *workspace);
  normalise::Normalised events;
  bool all_valid = true;
  for (std::uint32_t index = 0; index < outcomes.size(); ++index) {
    const mapping::MappingOutcome& outcome = outcomes[index];
    if (!outcome) {
      print_rejection(index, outcome.error().field, outcome.error().message);
      all_valid = false;
      continue;
    }
    events.clear();
    normaliser.run_one(std::span(mapped).subspan(outcome->offset, outcome->size), index,
                       {.kind = outcome->kind, .received_at = system_clock().wall_now()}, rules,
                       events);
    for (const normalise::Rejection& rejection : events.rejections) {
      print_rejection(index, rejection.field, rejection.message);
      all_valid = false;
    }
    std::cout << events.bytes() << (events.records.empty() ? "" : "\n");
  }
  return all_valid ? exit_ok : exit_failure;
}

}  // namespace sluice::cli

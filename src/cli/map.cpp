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
  std::string message =
      name.empty() ? "say which source with --source" : "no source `" + name + "`";
  message += "; configured:";
  for (const auto& source : config.sources) {
    message += " " + source->name;
  }
  static_cast<void>(fail("map", message));
  return nullptr;
}

void append_rejection(std::string& out, std::uint32_t index, std::string_view field,
                      std::string_view message) {
  out += "{\"rejected\":" + std::to_string(index) + ",\"field\":";
  append_json_string(out, field);
  out += ",\"message\":";
  append_json_string(out, message);
  out += "}\n";
}

// Rules are numbered from 1, as the metrics number them.
void append_ignored(std::string& out, std::uint32_t index, std::size_t rule) {
  out += "{\"ignored\":" + std::to_string(index) + ",\"rule\":";
  out += rule == mapping::no_rule_index ? "\"unmatched\"" : std::to_string(rule + 1);
  out += "}\n";
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
    return fail("map", mapper.error().message, exit_configuration);
  }
  std::string raw{std::istreambuf_iterator<char>(std::cin), {}};
  const std::size_t size = raw.size();
  raw.resize(size + normalise::Normaliser::padding_bytes);
  mapping::Mapper::Scratch scratch;
  std::string mapped;
  normalise::Normaliser normaliser(Rng::from_system_entropy());
  const auto workspace =
      std::ranges::find(config->workspaces, source->workspace, &config::Workspace::name);
  const normalise::Rules rules = runtime::rules_of(*config, *workspace);
  normalise::Normalised events;
  std::string printed;
  bool all_valid = true;
  std::uint32_t index = 0;
  const auto take = [&](const mapping::MappingOutcome& outcome) {
    if (!outcome) {
      append_rejection(printed, index++, outcome.error().field, outcome.error().message);
      all_valid = false;
      return true;
    }
    if (outcome->ignored) {
      append_ignored(printed, index++, outcome->rule);
      return true;
    }
    events.clear();
    mapped.resize(mapped.size() + normalise::Normaliser::padding_bytes);
    normaliser.run_one(std::span(mapped).subspan(outcome->offset, outcome->size), index,
                       {.kind = outcome->kind, .received_at = system_clock().wall_now()}, rules,
                       events);
    for (const normalise::Rejection& rejection : events.rejections) {
      append_rejection(printed, index, rejection.field, rejection.message);
      all_valid = false;
    }
    for (const normalise::Warning& warning : events.warnings) {
      complain("sluice map: event " + std::to_string(index) + ": " + std::string(warning.field) +
               " " + std::string(warning.message) +
               " (goes on; validation: strict refuses it by its rule " +
               std::string(normalise::info(warning.rule).name) + ")\n");
    }
    printed.append(events.bytes()).append(events.records.empty() ? "" : "\n");
    ++index;
    return true;
  };
  const auto framing =
      options.lines ? normalise::Framing::lines : normalise::Framing::object_or_array;
  const auto body = mapper->map_body(std::span(raw).first(size), framing, rules.event_bytes_max,
                                     scratch, mapped, take);
  if (!body) {
    return fail("map", body.error().message);
  }
  say(printed);
  return all_valid ? exit_ok : exit_failure;
}

}  // namespace sluice::cli

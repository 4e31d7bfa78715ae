#include <sluice/runtime/rules.hpp>

namespace sluice::runtime {

normalise::Rules rules_of(const config::Config& config, const config::Workspace& workspace) {
  return {
      .strict = workspace.validation == config::Validation::strict,
      // Of a configuration that was read, it is known.
      .time_zone = normalise::TimeZone::find(workspace.time_zone).value_or(normalise::TimeZone{}),
      .generated_salts = workspace.generated_salts,
      .actions = workspace.actions,
      .event_bytes_max = config.ingest.max_event_bytes,
      .event_keys_max = config.ingest.limits.max_event_keys,
      .string_bytes_max = config.ingest.limits.max_string_bytes,
      .future_tolerance = config.ingest.future_tolerance};
}

}  // namespace sluice::runtime

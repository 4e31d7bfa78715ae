#include "reload.hpp"

#include <algorithm>

#include <sluice/config/load.hpp>

namespace sluice::runtime {
namespace {

// Goes through the keys of one section. The names of keys are as in the file.
class Differ {
 public:
  explicit Differ(ReloadPlan& plan) : plan_(plan) {}

  template <class T>
  void take(const std::string& key, T& running, const T& wanted) {
    if (running != wanted) {
      plan_.taken_over.push_back(key);
      running = wanted;
    }
  }
  template <class T>
  void keep(const std::string& key, const T& running, const T& wanted) {
    if (running != wanted) {
      plan_.needs_restart.push_back(key);
    }
  }

 private:
  ReloadPlan& plan_;
};

bool runs(const config::Config& config, const std::string& workspace) {
  return std::ranges::find(config.workspaces, workspace, &config::Workspace::name) !=
         config.workspaces.end();
}

void compare_limits(Differ& differ, config::Ingest& running, const config::Ingest& wanted) {
  differ.take("ingest.max_body_bytes", running.max_body_bytes, wanted.max_body_bytes);
  differ.take("ingest.max_event_bytes", running.max_event_bytes, wanted.max_event_bytes);
  differ.take("ingest.max_header_bytes", running.max_header_bytes, wanted.max_header_bytes);
  differ.take("ingest.max_connections", running.max_connections, wanted.max_connections);
  differ.take("limits", running.limits, wanted.limits);
  differ.take("ingest.header_timeout", running.header_timeout, wanted.header_timeout);
  differ.take("ingest.body_timeout", running.body_timeout, wanted.body_timeout);
  differ.take("ingest.idle_timeout", running.idle_timeout, wanted.idle_timeout);
  differ.take("ingest.write_timeout", running.write_timeout, wanted.write_timeout);
  differ.take("ingest.on_invalid", running.on_invalid, wanted.on_invalid);
  differ.take("ingest.future_tolerance", running.future_tolerance, wanted.future_tolerance);
}

void compare_ingest(Differ& differ, config::Ingest& running, const config::Ingest& wanted) {
  differ.keep("ingest.listen", running.listen, wanted.listen);
  differ.keep("ingest.threads", running.threads, wanted.threads);
  differ.keep("ingest.token_key", running.token_key, wanted.token_key);
  compare_limits(differ, running, wanted);
  // It says only what a configuration may ask for.
  running.allow_anonymous = wanted.allow_anonymous;
  if (running.tls.has_value() == wanted.tls.has_value()) {
    differ.take("ingest.tls", running.tls, wanted.tls);
  } else {
    differ.keep("ingest.tls", running.tls, wanted.tls);
  }
}

void compare_workspace(Differ& differ, config::Workspace& running,
                       const config::Workspace& wanted) {
  const std::string of = "workspace " + running.name + ": ";
  differ.keep(of + "base_url", running.base_url, wanted.base_url);
  differ.keep(of + "ca_file", running.ca_file, wanted.ca_file);
  running.allow_plaintext = wanted.allow_plaintext;
  differ.keep(of + "auth.method", running.auth.method, wanted.auth.method);
  differ.keep(of + "auth.workspace_guid", running.auth.workspace_guid, wanted.auth.workspace_guid);
  if (running.auth.method == wanted.auth.method &&
      running.auth.workspace_guid == wanted.auth.workspace_guid &&
      running.base_url == wanted.base_url) {
    differ.take(of + "auth.api_key", running.auth.api_key, wanted.auth.api_key);
  }  // otherwise the key is another account's
  differ.take(of + "validation", running.validation, wanted.validation);
  differ.take(of + "time_zone", running.time_zone, wanted.time_zone);
  differ.take(of + "partial_status", running.partial_status, wanted.partial_status);
  differ.take(of + "generated_salts", running.generated_salts, wanted.generated_salts);
  differ.take(of + "actions", running.actions, wanted.actions);
  differ.take(of + "passthrough", running.passthrough, wanted.passthrough);
}

void compare_workspaces(Differ& differ, config::Config& running, const config::Config& wanted) {
  const auto names = [](const config::Config& config) {
    std::vector<std::string> all;
    all.reserve(config.workspaces.size());
    for (const config::Workspace& workspace : config.workspaces) {
      all.push_back(workspace.name);
    }
    return all;
  };
  differ.keep("workspaces (added, removed or in another order)", names(running), names(wanted));
  for (config::Workspace& workspace : running.workspaces) {
    const auto found =
        std::ranges::find(wanted.workspaces, workspace.name, &config::Workspace::name);
    if (found != wanted.workspaces.end()) {
      compare_workspace(differ, workspace, *found);
    }
  }
}

void compare_producers(Differ& differ, config::Config& running, const config::Config& wanted) {
  const auto& producers = wanted.ingest.producers;
  const bool fits = std::ranges::all_of(producers, [&](const config::Producer& producer) {
    return runs(running, producer.workspace);
  });
  if (fits) {
    differ.take("ingest.producers", running.ingest.producers, producers);
  } else {
    differ.keep("ingest.producers (of a workspace that does not run yet)", running.ingest.producers,
                producers);
  }
}

// Rules do not compare; what they are written as does.
std::string text_of_sources(const config::Config& config) {
  config::Config sources;
  sources.sources = config.sources;
  return config::to_yaml_masked(sources);
}

void compare_sources(Differ& differ, config::Config& running, const config::Config& wanted) {
  std::string before = text_of_sources(running);
  const std::string after = text_of_sources(wanted);
  const bool fits = std::ranges::all_of(
      wanted.sources, [&](const auto& source) { return runs(running, source->workspace); });
  if (fits) {
    differ.take("sources", before, after);
    running.sources = wanted.sources;
  } else {
    differ.keep("sources (of a workspace that does not run yet)", before, after);
  }
}

void compare_buffer(Differ& differ, config::Buffer& running, const config::Buffer& wanted) {
  differ.keep("buffer.type", running.type, wanted.type);
  differ.keep("buffer.path", running.path, wanted.path);
  differ.keep("buffer.sync", running.sync, wanted.sync);
  differ.keep("buffer.sync_interval", running.sync_interval, wanted.sync_interval);
  differ.take("buffer.max_bytes", running.max_bytes, wanted.max_bytes);
  running.max_bytes_given = wanted.max_bytes_given;
  differ.take("buffer.max_events", running.max_events, wanted.max_events);
  differ.take("buffer.high_watermark", running.high_watermark, wanted.high_watermark);
  differ.take("buffer.low_watermark", running.low_watermark, wanted.low_watermark);
  differ.take("buffer.producer_share", running.producer_share, wanted.producer_share);
  differ.take("buffer.drain_timeout", running.drain_timeout, wanted.drain_timeout);
}

}  // namespace

ReloadPlan plan_reload(const config::Config& running, const config::Config& wanted) {
  ReloadPlan plan{.next = running, .taken_over = {}, .needs_restart = {}};
  config::Config& next = plan.next;
  Differ differ(plan);
  compare_ingest(differ, next.ingest, wanted.ingest);
  compare_producers(differ, next, wanted);
  differ.keep("admin.listen", next.admin.listen, wanted.admin.listen);
  differ.take("admin.token", next.admin.token, wanted.admin.token);
  differ.take("admin.hosts", next.admin.hosts, wanted.admin.hosts);
  compare_workspaces(differ, next, wanted);
  compare_sources(differ, next, wanted);
  compare_buffer(differ, next.buffer, wanted.buffer);
  differ.keep("batch", next.batch, wanted.batch);
  differ.keep("delivery", next.delivery, wanted.delivery);
  differ.take("passthrough", next.passthrough, wanted.passthrough);
  differ.keep("dedup", next.dedup, wanted.dedup);
  differ.keep("dead_letter", next.dead_letter, wanted.dead_letter);
  differ.take("drain_timeout", next.drain_timeout, wanted.drain_timeout);
  differ.take("log", next.log, wanted.log);
  return plan;
}

}  // namespace sluice::runtime

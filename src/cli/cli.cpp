#include <chrono>
#include <cmath>
#include <exception>
#include <functional>
#include <iostream>

#include <CLI/CLI.hpp>

#include <sluice/base/log.hpp>
#include <sluice/cli/cli.hpp>
#include <sluice/store/trial.hpp>

#include "commands.hpp"

namespace sluice::cli {
namespace {

void add_filter(CLI::App& command, DlqOptions& options) {
  command.add_option("--workspace", options.workspace, "of this workspace");
  command.add_option("--reason", options.reason, "for this reason: rejected, too_large");
  command.add_option("--since", options.since, "last tried then or later: 2026-11-24T00:00:00Z");
  command.add_option("--until", options.until, "last tried before then");
  command.add_option("--contains", options.contains, "with this text in the event's JSON");
}

void add_selection(CLI::App& command, DlqOptions& options) {
  add_filter(command, options);
  command.add_option("--id", options.ids, "this one; may be repeated");
  command.add_flag("--all", options.all, "all of them");
}

// `run` is called with what was asked for.
void add_dlq(CLI::App& app, DlqOptions& options, std::string& config_file,
             const std::function<void(DlqAction)>& run) {
  CLI::App* dlq_command =
      app.add_subcommand("dlq", "Events that the API refused for good: look, replay, purge.");
  dlq_command->require_subcommand(1);
  const auto add = [&](const char* name, const char* description, DlqAction action) {
    CLI::App* command = dlq_command->add_subcommand(name, description);
    command->add_option("--config", config_file, "the configuration, as of the other commands");
    command->add_flag("--json", options.json, "JSON, one object per line");
    command->callback([run, action] { run(action); });
    return command;
  };
  CLI::App* list_command = add("list", "List dead letters, the newest first.", DlqAction::list);
  add_filter(*list_command, options);
  list_command->add_option("--limit", options.limit, "so many at most; 0: all; default: 100");
  add("show", "Show one dead letter.", DlqAction::show)
      ->add_option("id", options.ids, "its id")
      ->required()
      ->expected(1);
  add_selection(
      *add("replay", "Have the running gateway accept their events again.", DlqAction::replay),
      options);
  add_selection(*add("purge", "Remove them for good.", DlqAction::purge), options);
}

void add_check(CLI::App& command, CheckOptions& options) {
  command.add_flag("--online", options.online,
                   "ask each workspace's API: DNS, TLS, login, permissions, clock; stores nothing");
  command.add_flag("--listen", options.listens,
                   "see whether addresses and folders can be had; for a gateway that does not run");
  command
      .add_option_function<std::string>(
          "--format", [&options](const std::string& format) { options.json = format == "json"; },
          "text or json, of what --online and --listen find; default: text")
      ->check(CLI::IsMember({"text", "json"}));
}

void add_tap(CLI::App& command, TapOptions& options) {
  command.add_flag("--accepted", options.accepted, "accepted ones only");
  command.add_flag("--rejected", options.rejected, "rejected ones only, with what is wrong");
  command.add_option("--source", options.source, "of this source");
  command.add_option("--workspace", options.workspace, "of this workspace");
  command.add_option("--sample", options.sample,
                     "how many: 20/s at most, or 1% of all; default: 10/s");
  command.add_flag("--unmasked", options.unmasked, "with their values; takes the admin token");
}

// `run` is called with what was asked for.
void add_buffer(CLI::App& app, bool& json, std::string& config_file,
                const std::function<void(BufferAction)>& run) {
  CLI::App* buffer_command =
      app.add_subcommand("buffer", "The disk buffer of a gateway that does not run.");
  buffer_command->require_subcommand(1);
  const auto add = [&](const char* name, const char* description, BufferAction action) {
    CLI::App* command = buffer_command->add_subcommand(name, description);
    command->add_option("--config", config_file, "the configuration, as of the other commands");
    command->add_flag("--json", json, "the result as JSON");
    command->callback([run, action] { run(action); });
  };
  add("stat", "How much is in it, by workspace.", BufferAction::stat);
  add("verify", "Read every record; exit 1, with the tickets, when some cannot be read.",
      BufferAction::verify);
  add("export", "Print its events, one JSON object per line.", BufferAction::export_events);
  add("repair", "Build it anew of what can be read, if it is damaged.", BufferAction::repair);
}

}  // namespace

int run(int argc, const char* const* argv) {
  CLI::App app{"Sluice: takes events from your back ends and delivers them to Synerise, once."};
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::help);
  std::string config_file;
  int exit_code = exit_ok;
  const auto add_command = [&](const char* name, const char* description) {
    CLI::App* command = app.add_subcommand(name, description);
    command->add_option(
        "--config", config_file,
        "the configuration; default: $SLUICE_CONFIG, ./sluice.yaml, /etc/sluice/sluice.yaml");
    return command;
  };
  add_command("serve", "Run the gateway until SIGTERM or SIGINT.")->callback([&] {
    exit_code = serve(config_file);
  });
  CheckOptions check_options;
  add_check(
      *add_command("check", "Check a configuration and print what it amounts to, secrets masked."),
      check_options);
  app.get_subcommand("check")->callback([&] { exit_code = check(config_file, check_options); });
  MapOptions map_options;
  CLI::App* map_command =
      add_command("map", "Show what a source's rules make of raw events on standard input.");
  map_command->add_option("--source", map_options.source,
                          "the source; may be left out when there is one");
  map_command->add_flag("--ndjson", map_options.lines, "one raw event per line");
  map_command->callback([&] { exit_code = map(config_file, map_options); });
  double timeout_s = 5;
  CLI::App* health_command =
      add_command("health", "Exit with 0 when the running gateway is ready, else with 1.");
  health_command->add_option("--timeout", timeout_s, "seconds to wait for its answer; default: 5")
      ->check(CLI::Range(0.001, 3600.0));
  health_command->callback([&] {
    exit_code = health(config_file, std::chrono::milliseconds(std::lround(timeout_s * 1'000)));
  });
  add_command("top", "Show what the running gateway does, each second; q quits.")->callback([&] {
    exit_code = top(config_file);
  });
  TapOptions tap_options;
  add_tap(
      *add_command("tap", "Show samples of the events that the running gateway takes or rejects."),
      tap_options);
  app.get_subcommand("tap")->callback([&] { exit_code = tap(config_file, tap_options); });
  DlqOptions dlq_options;
  add_dlq(app, dlq_options, config_file,
          [&](DlqAction action) { exit_code = dlq(config_file, action, dlq_options); });
  bool buffer_json = false;
  add_buffer(app, buffer_json, config_file,
             [&](BufferAction action) { exit_code = buffer(config_file, action, buffer_json); });
  store::TrialTask trial;
  CLI::App* trial_command = app.add_subcommand(store::trial_command)->group("");  // not for people
  trial_command->add_option("database", trial.database)->required();
  trial_command->add_flag("--write", trial.to_write);
  trial_command->add_option("--memory", trial.memory_bytes);
  trial_command->callback([&] {
    log::configure(log::Level::off, log::Format::human);
    exit_code = store::run_trial(trial);
  });
  app.add_subcommand("schema", "Print the JSON Schema of the configuration.")->callback([&] {
    exit_code = schema();
  });
  app.add_subcommand("version", "Print the version.")->callback([&] { exit_code = version(); });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_ok : exit_usage;
  }
  return exit_code;
}

}  // namespace sluice::cli

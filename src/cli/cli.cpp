#include <exception>
#include <iostream>

#include <CLI/CLI.hpp>

#include <sluice/cli/cli.hpp>

#include "commands.hpp"

namespace sluice::cli {

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
  add_command("check", "Check a configuration and print what it amounts to, secrets masked.")
      ->callback([&] { exit_code = check(config_file); });
  MapOptions map_options;
  CLI::App* map_command =
      add_command("map", "Show what a source's rules make of raw events on standard input.");
  map_command->add_option("--source", map_options.source,
                          "the source; may be left out when there is one");
  map_command->add_flag("--ndjson", map_options.lines, "one raw event per line");
  map_command->callback([&] { exit_code = map(config_file, map_options); });
  app.add_subcommand("version", "Print the version.")->callback([&] { exit_code = version(); });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_ok : exit_usage;
  }
  return exit_code;
}

}  // namespace sluice::cli

// The subcommands. Each returns the exit code; `config_file` is --config, empty when it was not
// given.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sluice/base/result.hpp>
#include <sluice/cli/cli.hpp>
#include <sluice/config/config.hpp>

namespace sluice::cli {

// Finds and loads the configuration, or says in one line each what is wrong.
[[nodiscard]] Result<config::Config, std::vector<std::string>> read_config(
    const std::string& config_file);
// The same; prints every mistake in it to standard error.
[[nodiscard]] Result<config::Config, int> load_config(const std::string& config_file);

// The only ways to standard output and standard error: what others wrote is in it, and nothing of
// that may drive a terminal (printable.hpp). JSON stays the same JSON. Line breaks are kept.
void say(std::string_view text);
void complain(std::string_view text);

// One line on standard error, `sluice COMMAND: MESSAGE`. Returns the exit code.
int fail(std::string_view command, std::string_view message, int exit_code = exit_failure);

// By which the commands start themselves anew, to try a store.
inline constexpr const char* this_program = "/proc/self/exe";

[[nodiscard]] int serve(const std::string& config_file);

struct CheckOptions {
  bool online = false;   // ask the upstreams
  bool listens = false;  // try addresses and folders
  bool json = false;
};
// The configuration alone: prints what it amounts to. With either of the options: prints what was
// found, one line each; exit_configuration or exit_unavailable if something is in the way.
[[nodiscard]] int check(const std::string& config_file, const CheckOptions& options);

struct MapOptions {
  std::string source;  // empty: the only one that is configured
  bool lines = false;  // standard input is NDJSON, whatever it looks like
};
// Raw events on standard input; what the source's rules and the workspace's validation make of them
// on standard output, one line each.
[[nodiscard]] int map(const std::string& config_file, const MapOptions& options);

enum class DlqAction : std::uint8_t { list, show, replay, purge };
struct DlqOptions {
  std::vector<std::string> ids;
  std::string workspace;
  std::string reason;
  std::string since;
  std::string until;
  std::string contains;
  bool all = false;
  std::size_t limit = 100;  // of a list; 0: none
  bool json = false;
};
// Dead letters, of the running gateway or, where that is possible and none runs, of the files.
[[nodiscard]] int dlq(const std::string& config_file, DlqAction action, const DlqOptions& options);

enum class BufferAction : std::uint8_t { verify, stat, export_events, repair };
// The store of a gateway that does not run. Not sound, or not to be had: exit_failure.
[[nodiscard]] int buffer(const std::string& config_file, BufferAction action, bool json);

// Whether the running gateway is ready; if not, one line says why.
[[nodiscard]] int health(const std::string& config_file, std::chrono::milliseconds timeout);

// What the running gateway does, each second; once when this is no terminal.
[[nodiscard]] int top(const std::string& config_file);

struct TapOptions {
  bool accepted = false;  // neither, or both: both
  bool rejected = false;
  std::string source;
  std::string workspace;
  std::string sample;
  bool unmasked = false;
};
// Samples of the events that the running gateway accepts and rejects, line by line, until it ends.
[[nodiscard]] int tap(const std::string& config_file, const TapOptions& options);

[[nodiscard]] int schema();
[[nodiscard]] int version();

}  // namespace sluice::cli

#include "command_line.hpp"

#include <algorithm>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

namespace sluice::load {
namespace {

// What the flags say, before it is made into Settings.
struct Flags {
  std::string target;
  double duration_ms = 10'000;
  double warmup_ms = 1'000;
  double timeout_ms = 10'000;
};

CLI::AsNumberWithUnit as_milliseconds() {
  const std::map<std::string, double> units{
      {"ms", 1.0}, {"s", 1'000.0}, {"m", 60'000.0}, {"h", 3'600'000.0}};
  return CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::UNIT_REQUIRED, "TIME");
}

// "5000/s" or "5000".
std::string without_per_second(std::string text) {
  if (text.ends_with("/s")) {
    text.resize(text.size() - 2);
  }
  return text;
}

// A line end in a header would begin another one.
std::string check_header(const std::string& line) {
  const std::size_t colon = line.find(':');
  const bool well_formed =
      colon != 0 && colon != std::string::npos &&
      std::ranges::none_of(line, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  return well_formed ? "" : "must be 'Name: value'";
}

void declare_load(CLI::App& app, Settings& settings, Flags& flags) {
  app.add_option("--target", flags.target, "http://HOST:PORT/PATH or https://HOST:PORT/PATH")
      ->required();
  app.add_option("--connections", settings.connections, "Connections, over all threads")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--threads", settings.threads, "Threads")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--pipeline", settings.pipeline, "Requests under way on a connection")
      ->check(CLI::Range(1, 1'024))
      ->capture_default_str();
  app.add_option("--duration", flags.duration_ms, "How long to measure; 10s unless told")
      ->transform(as_milliseconds());
  app.add_option("--requests", settings.requests,
                 "How many requests to send, in place of a duration")
      ->check(CLI::PositiveNumber)
      ->excludes("--duration");
  app.add_option("--warmup", flags.warmup_ms, "How long to send before measuring; 1s unless told")
      ->transform(as_milliseconds());
  app.add_option("--timeout", flags.timeout_ms,
                 "How long to wait for a connection or an answer; 10s unless told")
      ->transform(as_milliseconds());
  app.add_option("--rate", settings.rate_per_s,
                 "Open loop: requests per second, such as 5000/s, however slow the answers")
      ->transform(without_per_second, "RATE")
      ->check(CLI::PositiveNumber);
  app.add_flag("--poisson", settings.poisson, "Exponential gaps between arrivals")->needs("--rate");
}

void declare_payload(CLI::App& app, Settings& settings) {
  const std::map<std::string, Shape> shapes{
      {"array", Shape::array}, {"ndjson", Shape::ndjson}, {"single", Shape::single}};
  app.add_option("--shape", settings.shape, "Bodies: array (unless told), ndjson or single")
      ->transform(CLI::CheckedTransformer(shapes));
  app.add_option("--batch", settings.batch, "Events per array or NDJSON body")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--profiles", settings.profiles, "Profiles that the events are of")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", settings.seed, "Seed of everything random")->capture_default_str();
  app.add_flag("--gzip", settings.gzip, "Compress bodies");
  app.add_option("--header", settings.header_lines, "'Name: value' to send; repeatable")
      ->check(check_header)
      ->allow_extra_args(false);
  app.add_option(
         "--file", settings.file,
         "Send what it holds, a line per request: {\"path\":\"/...\",\"body\":...}; in order, "
         "with --connections 1")
      ->check(CLI::ExistingFile)
      ->excludes("--shape")
      ->excludes("--batch");
  app.add_flag("--loop", settings.loop, "Begin the file again at its end")->needs("--file");
}

void declare_rest(CLI::App& app, Settings& settings) {
  app.add_flag("--insecure", settings.insecure, "Do not verify the server's certificate");
  app.add_option("--ca-file", settings.ca_file, "PEM file of the CAs to trust");
  app.add_option("--server-pid", settings.server_pid,
                 "A process on this machine whose CPU time and memory to report");
  app.add_option("--json", settings.json_file, "Write the report to this file, as JSON");
  app.add_option("--svg", settings.svg_file, "Draw latency and throughput into this file");
  app.add_flag("--quiet", settings.quiet, "No lines of progress");
}

std::chrono::nanoseconds from_ms(double ms) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double, std::milli>(ms));
}

// Throws CLI::Error.
void finish(const CLI::App& app, Settings& settings, const Flags& flags) {
  Result<Target> target = parse_target(flags.target);
  if (!target) {
    throw CLI::ValidationError("--target", target.error().message);
  }
  settings.target = std::move(*target);
  // Only a run that has an end in time can spare its beginning.
  const bool sent_once = !settings.file.empty() && !settings.loop;
  const bool timed = !settings.requests && (!sent_once || app.count("--duration") > 0);
  if (timed) {
    settings.duration = from_ms(flags.duration_ms);
    settings.warmup = from_ms(flags.warmup_ms);
  } else if (app.count("--warmup") > 0) {
    throw CLI::ValidationError("--warmup", "goes with --duration only");
  }
  settings.timeout = from_ms(flags.timeout_ms);
  if (settings.threads > settings.connections) {
    throw CLI::ValidationError("--threads", "must not exceed --connections");
  }
}

}  // namespace

std::expected<Settings, int> parse_command_line(int argc, const char* const* argv) {
  CLI::App app("Sends events to a gateway, and measures how it takes them");
  Settings settings;
  Flags flags;
  declare_load(app, settings, flags);
  declare_payload(app, settings);
  declare_rest(app, settings);
  try {
    app.parse(argc, argv);
    finish(app, settings, flags);
  } catch (const CLI::Error& error) {
    return std::unexpected(app.exit(error));
  }
  if (settings.shape == Shape::single) {
    settings.batch = 1;
  }
  return settings;
}

}  // namespace sluice::load

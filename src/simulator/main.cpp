// synerise-sim: the simulator as a process.
#include <csignal>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <pthread.h>

#include <sluice/simulator/simulator.hpp>

namespace {

using sluice::simulator::InvalidEvents;
using sluice::simulator::LedgerMode;
using sluice::simulator::Options;
using sluice::simulator::Simulator;
using sluice::simulator::Validation;

// What the flags say, before it is made into Options.
struct Flags {
  std::string listen = "127.0.0.1:8090";
  std::vector<std::string> workspaces;
  std::vector<std::string> faults;
  double token_lifetime_ms = 3'600'000;
  bool partial = false;
};

// HOST:PORT, with an IPv6 address in brackets. Throws CLI::ValidationError.
void set_listen(Options& options, const std::string& text) {
  const std::size_t colon = text.rfind(':');
  unsigned port = 0;
  if (colon == std::string::npos || !CLI::detail::lexical_cast(text.substr(colon + 1), port) ||
      port > 65'535) {
    throw CLI::ValidationError("--listen", "must be HOST:PORT, such as 127.0.0.1:8090");
  }
  options.host = text.substr(0, colon);
  if (options.host.starts_with('[') && options.host.ends_with(']')) {
    options.host = options.host.substr(1, options.host.size() - 2);
  }
  options.port = static_cast<std::uint16_t>(port);
}

// Throws CLI::ValidationError.
void add_workspace(Options& options, const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) {
    throw CLI::ValidationError("--workspace", "must be GUID:APIKEY");
  }
  options.workspaces.push_back({.guid = text.substr(0, colon), .api_key = text.substr(colon + 1)});
}

void declare(CLI::App& app, Options& options, Flags& flags) {
  const std::map<std::string, double> units{
      {"ms", 1.0}, {"s", 1'000.0}, {"m", 60'000.0}, {"h", 3'600'000.0}};
  const std::map<std::string, Validation> validations{{"api", Validation::api},
                                                      {"strict", Validation::strict},
                                                      {"full", Validation::strict},
                                                      {"none", Validation::none}};
  const std::map<std::string, LedgerMode> ledgers{{"full", LedgerMode::full},
                                                  {"compact", LedgerMode::compact}};
  app.add_option("--listen", flags.listen, "HOST:PORT; port 0 takes a free one");
  app.add_option("--threads", options.threads, "Threads that serve connections")
      ->check(CLI::Range(1, 256));
  app.add_option("--tls-cert", options.tls_cert_file, "PEM file of the certificate");
  app.add_option("--tls-key", options.tls_key_file, "PEM file of its key");
  app.get_option("--tls-cert")->needs(app.get_option("--tls-key"));
  app.get_option("--tls-key")->needs(app.get_option("--tls-cert"));
  app.add_option("--workspace", flags.workspaces,
                 "GUID:APIKEY that may call; repeatable; none: anyone")
      ->allow_extra_args(false);
  app.add_option("--token-lifetime", flags.token_lifetime_ms, "How long a token is valid")
      ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::UNIT_REQUIRED, "TIME"));
  app.add_option("--deny-permission", options.denied_permissions,
                 "A permission that the permission check says is lacking; repeatable")
      ->allow_extra_args(false);
  app.add_option("--validate", options.validation,
                 "api: what the API is known or assumed to refuse; strict: what the vendor's SDK "
                 "asks for, too; none")
      ->transform(CLI::CheckedTransformer(validations));
  app.add_option("--ledger", options.ledger,
                 "full, or compact: hashes only, for millions of events")
      ->transform(CLI::CheckedTransformer(ledgers));
  app.add_flag("--partial", flags.partial, "Accept the valid events of a batch with 207");
  app.add_option("--over-limit-status", options.over_limit_status, "413 or 400")
      ->check(CLI::IsMember({413, 400}));
  // Else a JSON list, as it is in brackets, would be split at its commas.
  app.add_option("--fault", flags.faults,
                 "A fault as JSON or in the form status=503,probability=0.2; repeatable")
      ->allow_extra_args(false);
  app.add_option("--seed", options.seed, "Seed of everything random");
}

// Blocks the signals in all threads started later, so that only the wait below takes them.
sigset_t block_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

int run(Options options, const std::vector<std::string>& faults) {
  const sigset_t stop_signals = block_stop_signals();
  Simulator simulator(std::move(options));
  auto started = simulator.set_faults(faults);
  if (started) {
    started = simulator.start();
  }
  if (!started) {
    std::cerr << "synerise-sim: " << started.error().message << '\n';
    return 1;
  }
  std::cout << "listening on " << simulator.base_url() << '\n' << std::flush;
  int received = 0;
  sigwait(&stop_signals, &received);
  simulator.stop();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A stand-in for the Synerise events API, with faults on demand");
  Options options;
  Flags flags;
  declare(app, options, flags);
  try {
    app.parse(argc, argv);
    set_listen(options, flags.listen);
    for (const std::string& workspace : flags.workspaces) {
      add_workspace(options, workspace);
    }
  } catch (const CLI::Error& error) {
    return app.exit(error);
  }
  options.token_lifetime =
      std::chrono::milliseconds(static_cast<std::int64_t>(flags.token_lifetime_ms));
  options.invalid_events =
      flags.partial ? InvalidEvents::store_others : InvalidEvents::refuse_batch;
  return run(std::move(options), flags.faults);
}

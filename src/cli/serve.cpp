#include <atomic>
#include <csignal>
#include <functional>
#include <iostream>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <sluice/base/log.hpp>
#include <sluice/cli/cli.hpp>
#include <sluice/net/listener.hpp>
#include <sluice/runtime/gateway.hpp>

#include "commands.hpp"

namespace sluice::cli {
namespace {

namespace asio = boost::asio;

// Waits for the signals that a daemon is run with. The first SIGTERM or SIGINT ends
// wait_for_stop(); on_second_stop() deals with the next one, on a thread of its own.
class Signals {
 public:
  // `on_hangup` is called on the thread that waits, for each SIGHUP.
  explicit Signals(std::function<void()> on_hangup)
      : on_hangup_(std::move(on_hangup)),
        stop_(context_, SIGTERM, SIGINT),
        hangup_(context_, SIGHUP) {
    std::signal(SIGPIPE, SIG_IGN);
    wait_for_hangup();
  }
  ~Signals() {
    context_.stop();
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  void wait_for_stop() {
    stop_.async_wait([this](const boost::system::error_code&, int) { context_.stop(); });
    context_.run();
    context_.restart();
  }
  void on_second_stop(runtime::Gateway& gateway) {
    stop_.async_wait([&gateway](const boost::system::error_code& error, int) {
      if (!error) {
        SLUICE_LOG(warn, "second signal: not waiting for deliveries any longer");
        gateway.hurry();
      }
    });
    thread_ = std::thread([this] { context_.run(); });
  }

 private:
  void wait_for_hangup() {
    hangup_.async_wait([this](const boost::system::error_code& error, int) {
      if (!error) {
        on_hangup_();
        wait_for_hangup();
      }
    });
  }

  std::function<void()> on_hangup_;
  asio::io_context context_{1};
  asio::signal_set stop_;
  asio::signal_set hangup_;
  std::thread thread_;
};

// What can change at run time: for now, how much is logged and how.
void reload(const std::string& config_file) {
  const auto config = load_config(config_file);
  if (!config) {
    SLUICE_LOG(error, "SIGHUP: the configuration has mistakes, see above; nothing has changed");
    return;
  }
  log::configure(config->log.level, config->log.format);
  SLUICE_LOG(info, "SIGHUP: took over the log's level and format; the rest changes at a restart");
}

// The last line of the log, and the exit code.
int tell_end(const runtime::Gateway::StopReport& report) {
  int exit_code = exit_ok;
  if (report.undelivered_events == 0) {
    SLUICE_LOG(info, "stopped; every accepted event was delivered or is a dead letter");
  } else if (report.kept) {
    SLUICE_LOG(info, "stopped; the rest stays on disk for the next start",
               {"undelivered_events", report.undelivered_events});
  } else {
    SLUICE_LOG(
        error,
        "stopped with accepted events that were not delivered, and are lost with the memory buffer",
        {"undelivered_events", report.undelivered_events});
    exit_code = exit_undelivered;
  }
  log::flush();
  return exit_code;
}

}  // namespace

int serve(const std::string& config_file) {
  const auto config = load_config(config_file);
  if (!config) {
    return config.error();
  }
  log::configure(config->log.level, config->log.format);
  Signals signals([&config_file] { reload(config_file); });
  auto gateway = runtime::start_gateway(*config, system_clock());
  if (!gateway) {
    std::cerr << "sluice: " << gateway.error().message << '\n';
    return exit_failure;
  }
  for (const config::ListenAddress& address : (*gateway)->ingest_addresses()) {
    SLUICE_LOG(info, "taking events", {"address", net::to_string(address)});
  }
  SLUICE_LOG(info, "ready", {"admin", net::to_string((*gateway)->admin_address())},
             {"config", config->file});
  signals.wait_for_stop();
  SLUICE_LOG(info, "stopping: no new events; delivering what is left",
             {"drain_timeout_ms", config->drain_timeout.count()});
  signals.on_second_stop(**gateway);
  const runtime::Gateway::StopReport report = (*gateway)->stop();
  return tell_end(report);
}

}  // namespace sluice::cli

#include <csignal>
#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>

#include <sluice/base/log.hpp>
#include <sluice/cli/cli.hpp>
#include <sluice/net/listener.hpp>
#include <sluice/runtime/descriptors.hpp>
#include <sluice/runtime/gateway.hpp>

#include "commands.hpp"

namespace sluice::cli {
namespace {

namespace asio = boost::asio;

// Waits for what a daemon is told by signals. The first SIGTERM or SIGINT, or request_stop(), ends
// wait_for_stop(); on_second_stop() deals with the next signal, on a thread of its own.
class Signals {
 public:
  Signals() : stop_(context_, SIGTERM, SIGINT), hangup_(context_, SIGHUP) {
    std::signal(SIGPIPE, SIG_IGN);
  }
  ~Signals() {
    context_.stop();
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  void wait_for_stop(runtime::Gateway& gateway) {
    wait_for_hangup(gateway);
    stop_.async_wait([this](const boost::system::error_code& error, int) {
      if (!error) {
        end_wait();
      }
    });
    context_.run();
    context_.restart();
  }
  // Any thread; nothing more happens when the stop has begun.
  void request_stop() {
    asio::post(context_, [this] {
      if (!stopping_) {
        stop_.cancel();
        end_wait();
      }
    });
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
  void end_wait() {
    stopping_ = true;
    context_.stop();
  }
  void wait_for_hangup(runtime::Gateway& gateway) {
    hangup_.async_wait([this, &gateway](const boost::system::error_code& error, int) {
      if (error) {
        return;
      }
      if (!stopping_) {
        gateway.reload();
      }
      wait_for_hangup(gateway);
    });
  }

  asio::io_context context_{1};
  asio::signal_set stop_;
  asio::signal_set hangup_;
  bool stopping_ = false;  // on the context's thread, of which there is one at a time
  std::thread thread_;
};

// The last line of the log, and the exit code.
int tell_end(const runtime::Gateway::StopReport& report) {
  int exit_code = exit_ok;
  if (report.undelivered_events == 0) {
    SLUICE_LOG(info, "stopped; every accepted event was delivered or is a dead letter");
  } else if (report.lost_events == 0) {
    SLUICE_LOG(info, "stopped; the rest stays on disk for the next start",
               {"undelivered_events", report.undelivered_events});
  } else if (report.lost_events < report.undelivered_events) {
    SLUICE_LOG(
        error,
        "stopped; the disk does not take some accepted events, which are lost; the rest stays "
        "on it for the next start",
        {"lost_events", report.lost_events}, {"undelivered_events", report.undelivered_events});
    exit_code = exit_undelivered;
  } else {
    SLUICE_LOG(error,
               "stopped with accepted events that were not delivered, and are lost, as they are on "
               "no disk",
               {"undelivered_events", report.undelivered_events});
    exit_code = exit_undelivered;
  }
  return exit_code;
}

void tell_exception(const std::exception& error) {
  log::write_last("sluice: ended by an exception that nobody expected: ");
  log::write_last(error.what());
  log::write_last("\n");
}

[[noreturn]] void end_for_want_of(std::string_view message) {
  log::write_last(message);
  std::_Exit(exit_failure);
}

// Where memory runs out, requests are given up; but some threads cannot do without, such as the
// store's. Then the process ends, saying why, and the next one finds what was synced.
[[noreturn]] void end_process() {
  constexpr std::string_view no_memory =
      "sluice: memory is exhausted: ending; what the disk buffer has acknowledged is kept\n";
  try {
    if (const std::exception_ptr reason = std::current_exception()) {
      std::rethrow_exception(reason);
    }
    // Out of a noexcept function: GCC 12 ends there without catching, so what it is cannot be
    // known. What is thrown there is for want of memory.
    if (std::uncaught_exceptions() > 0) {
      end_for_want_of(no_memory);
    }
  } catch (const std::bad_alloc&) {
    end_for_want_of(no_memory);
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) {
      end_for_want_of(
          "sluice: no thread can be started, as memory is exhausted or there are too many: ending; "
          "what the disk buffer has acknowledged is kept\n");
    }
    tell_exception(error);
  } catch (const std::exception& error) {
    tell_exception(error);
  } catch (...) {
    log::write_last("sluice: ended by an exception that nobody expected\n");
  }
  std::abort();
}

}  // namespace

int serve(const std::string& config_file) {
  Signals signals;
  const auto config = read_config(config_file);
  if (!config) {
    for (const std::string& mistake : config.error()) {
      log::write_last(mistake + '\n');
    }
    return exit_configuration;
  }
  log::configure(config->log.level, config->log.format);
  log::write_in_background();
  std::set_terminate(end_process);
  runtime::raise_descriptor_limit();
  auto gateway =
      runtime::start_gateway(*config, system_clock(),
                             {.load = [&config_file] { return read_config(config_file); },
                              .quit = [&signals] { signals.request_stop(); },
                              .program = this_program});
  if (!gateway) {
    log::write_last("sluice: " + gateway.error().message + '\n');
    return exit_failure;
  }
  for (const config::ListenAddress& address : (*gateway)->ingest_addresses()) {
    SLUICE_LOG(info, "taking events", {"address", net::to_string(address)});
  }
  SLUICE_LOG(info, "ready", {"admin", net::to_string((*gateway)->admin_address())},
             {"config", config->file});
  signals.wait_for_stop(**gateway);
  SLUICE_LOG(info, "stopping: no new events; delivering what is left");
  signals.on_second_stop(**gateway);
  const runtime::Gateway::StopReport report = (*gateway)->stop();
  const int exit_code = tell_end(report);
  log::flush();
  return exit_code;
}

}  // namespace sluice::cli

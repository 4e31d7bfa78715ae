// The status each second, as server-sent events, for everyone who looks at the console: made once,
// however many they are, and not at all when nobody does.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include <sluice/net/bell.hpp>
#include <sluice/net/gate.hpp>
#include <sluice/net/listener.hpp>

#include "client_write.hpp"

namespace sluice::admin {

inline constexpr std::size_t viewers_max = 16;

// Lives on the executor's thread; the gate counts what runs.
class StatusFeed {
 public:
  // `status` gives one line of JSON.
  StatusFeed(net::asio::any_io_executor executor, net::Gate& gate, ClientWriter& writer,
             std::function<std::string()> status);

  [[nodiscard]] bool is_full() const { return viewers_ >= viewers_max; }
  // Writes until the client goes, does not read, or stop() is called. Not while it is full.
  [[nodiscard]] net::Task<> serve(net::Socket& socket);
  void stop();

 private:
  // A flag that is set until the pointer to it goes, however its holder ends.
  struct Lower {
    void operator()(bool* flag) const { *flag = false; }
  };
  using Producing = std::unique_ptr<bool, Lower>;

  void produce_if_nobody_does();
  net::Task<> produce(Producing producing);

  net::asio::any_io_executor executor_;
  net::Gate& gate_;
  ClientWriter& writer_;
  std::function<std::string()> status_;
  net::asio::steady_timer pause_;
  net::Bell made_;
  std::shared_ptr<const std::string> latest_;
  std::size_t viewers_ = 0;
  bool producing_ = false;
  bool stopped_ = false;
};

}  // namespace sluice::admin

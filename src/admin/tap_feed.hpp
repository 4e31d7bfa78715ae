// Samples of events as they come, line by line, for who debugs a producer: GET /tap.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sluice/admin/server.hpp>
#include <sluice/base/result.hpp>
#include <sluice/net/listener.hpp>
#include <sluice/tap/taps.hpp>

#include "client_write.hpp"
#include "request.hpp"

namespace sluice::admin {

// What the query of a request for /tap asks for.
struct TapQuery {
  tap::Wish wish;
  bool masked = true;
};
// Of "outcome=rejected&sample=5/s". The error says what is wrong with it.
[[nodiscard]] Result<TapQuery> parse_tap_query(std::string_view query);

// Lives on the executor's thread.
class TapFeed {
 public:
  using Open = decltype(Hooks::open_tap);
  struct Opened {
    std::unique_ptr<tap::Taps::Reader> reader;
    bool masked = true;
  };

  TapFeed(net::asio::any_io_executor executor, ClientWriter& writer, Open open);

  // What the request asks for, or the answer that refuses it.
  [[nodiscard]] Result<Opened, Page> open(const Request& request,
                                          const std::optional<config::Secret>& token) const;
  // Writes until the client goes, does not read, or stop() is called.
  [[nodiscard]] net::Task<> serve(net::Socket& socket, Opened opened);
  void stop() { stopped_ = true; }

 private:
  net::asio::any_io_executor executor_;
  ClientWriter& writer_;
  Open open_;
  bool stopped_ = false;
};

}  // namespace sluice::admin

#include "status_feed.hpp"

#include <chrono>
#include <utility>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/write.hpp>

namespace sluice::admin {
namespace {

namespace asio = net::asio;
using net::as_result;
using net::Task;
using namespace asio::experimental::awaitable_operators;

constexpr std::chrono::seconds interval{1};
// A viewer that takes nothing for so long is gone.
constexpr std::chrono::seconds write_timeout{10};
constexpr std::string_view head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    "Connection: close\r\n\r\n";

}  // namespace

StatusFeed::StatusFeed(asio::any_io_executor executor, net::Gate& gate,
                       std::function<std::string()> status)
    : executor_(std::move(executor)), gate_(gate), status_(std::move(status)), pause_(executor_) {}

Task<> StatusFeed::serve(net::Socket& socket) {
  ++viewers_;
  if (!std::exchange(producing_, true)) {
    net::spawn(executor_, gate_, produce());
  }
  bool open = co_await write(socket, std::string(head));
  std::shared_ptr<const std::string> sent;
  while (open && !stopped_) {
    if (sent == latest_) {
      co_await made_.wait_until(std::chrono::steady_clock::now() + write_timeout);
      continue;
    }
    sent = latest_;
    open = co_await write(socket, *sent);
  }
  --viewers_;
}

Task<> StatusFeed::produce() {
  while (viewers_ > 0 && !stopped_) {
    std::string status = status_();
    status.erase(status.find_last_not_of('\n') + 1);
    latest_ = std::make_shared<const std::string>("data: " + status + "\n\n");
    made_.ring();
    pause_.expires_after(interval);
    co_await pause_.async_wait(as_result);
  }
  producing_ = false;
  latest_.reset();
}

Task<bool> StatusFeed::write(net::Socket& socket, std::string text) {
  asio::steady_timer patience(executor_, write_timeout);
  const auto first = co_await (asio::async_write(socket, asio::buffer(text), as_result) ||
                               patience.async_wait(as_result));
  co_return first.index() == 0 && !std::get<0>(std::get<0>(first));
}

void StatusFeed::stop() {
  stopped_ = true;
  pause_.cancel();
  made_.ring();
}

}  // namespace sluice::admin

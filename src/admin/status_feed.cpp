#include "status_feed.hpp"

#include <chrono>
#include <utility>

namespace sluice::admin {
namespace {

namespace asio = net::asio;
using net::as_result;
using net::Task;

constexpr std::chrono::seconds interval{1};
constexpr std::string_view head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    "Connection: close\r\n\r\n";

// One more, for as long as it lives.
class Counted {
 public:
  explicit Counted(std::size_t& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::size_t& count_;
};

}  // namespace

StatusFeed::StatusFeed(asio::any_io_executor executor, net::Gate& gate, ClientWriter& writer,
                       std::function<std::string()> status)
    : executor_(std::move(executor)),
      gate_(gate),
      writer_(writer),
      status_(std::move(status)),
      pause_(executor_) {}

Task<> StatusFeed::serve(net::Socket& socket) {
  const Counted viewer(viewers_);
  bool open = co_await writer_.write(socket, std::string(head));
  std::shared_ptr<const std::string> sent;
  while (open && !stopped_) {
    produce_if_nobody_does();
    if (latest_ == nullptr || sent == latest_) {
      co_await made_.wait_until(std::chrono::steady_clock::now() + writer_.timeout());
      continue;
    }
    sent = latest_;
    open = co_await writer_.write(socket, *sent);
  }
}

void StatusFeed::produce_if_nobody_does() {
  if (!producing_) {
    producing_ = true;
    latest_.reset();
    net::spawn(executor_, gate_, produce(Producing(&producing_)));
  }
}

Task<> StatusFeed::produce([[maybe_unused]] Producing producing) {
  while (viewers_ > 0 && !stopped_) {
    std::string status = status_();
    status.erase(status.find_last_not_of('\n') + 1);
    latest_ = std::make_shared<const std::string>("data: " + status + "\n\n");
    made_.ring();
    pause_.expires_after(interval);
    co_await pause_.async_wait(as_result);
  }
}

void StatusFeed::stop() {
  stopped_ = true;
  pause_.cancel();
  made_.ring();
}

}  // namespace sluice::admin

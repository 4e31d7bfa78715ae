#include <algorithm>

#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sluice/net/deadline.hpp>
#include <sluice/net/lingering.hpp>

namespace sluice::net {
namespace {

// The bytes that may be read are counted in slices of time.
constexpr std::chrono::milliseconds slice{50};
constexpr std::size_t slice_bytes_max = Lingering::bytes_per_second_max / 20;

}  // namespace

MonoTime LingerTime::deadline() const {
  const std::chrono::milliseconds earned(bytes_ * 1000 / bytes_per_second_min);
  return std::min({began_ + total_max, last_ + silence_max, began_ + silence_max + earned});
}

// A connection among those that linger, however its coroutine ends.
class Lingering::Presence {
 public:
  Presence(std::list<Entry>& entries, Socket& socket)
      : entries_(entries), at_(entries.insert(entries.end(), {.socket = &socket})) {}
  ~Presence() { entries_.erase(at_); }
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;

  [[nodiscard]] const Entry& entry() const { return *at_; }

 private:
  std::list<Entry>& entries_;
  std::list<Entry>::iterator at_;
};

Task<> Lingering::close(Socket& socket) {
  boost::system::error_code error;
  socket.shutdown(Socket::shutdown_send, error);
  if (!error) {
    make_room();
    const Presence presence(entries_, socket);
    co_await read_and_drop(socket, presence.entry());
  }
  socket.close(error);
}

Task<> Lingering::read_and_drop(Socket& socket, const Entry& entry) {
  asio::steady_timer pause(socket.get_executor());
  Deadline patience(socket.get_executor());
  LingerTime time(clock_.mono_now());
  while (!entry.gives_way) {
    const MonoTime now = clock_.mono_now();
    if (const MonoTime next = may_read_at(now); next > now) {
      pause.expires_at(next);
      co_await pause.async_wait(as_result);
      continue;
    }
    const auto read = co_await with_deadline(
        patience, time.deadline(), socket.async_read_some(asio::buffer(dropped_), as_result),
        closing(socket));
    const auto& [error, bytes] = read.value;
    if (read.expired || error) {
      co_return;
    }
    slice_bytes_ += bytes;
    time.received(bytes, clock_.mono_now());
  }
}

void Lingering::make_room() {
  const auto staying = [](const Entry& entry) { return !entry.gives_way; };
  if (std::ranges::count_if(entries_, staying) < static_cast<std::ptrdiff_t>(connections_max)) {
    return;
  }
  Entry& oldest = *std::ranges::find_if(entries_, staying);
  oldest.gives_way = true;
  boost::system::error_code ignored;
  oldest.socket->cancel(ignored);
}

MonoTime Lingering::may_read_at(MonoTime now) {
  if (now >= slice_ends_at_) {
    slice_ends_at_ = now + slice;
    slice_bytes_ = 0;
  }
  return slice_bytes_ < slice_bytes_max ? now : slice_ends_at_;
}

}  // namespace sluice::net

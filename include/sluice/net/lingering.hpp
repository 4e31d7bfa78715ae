// The end of a connection whose client may still be sending. Closing with bytes unread resets the
// connection, and the reset can take the last answer away from the client (RFC 9112, 9.6): so the
// half that sends is closed first, and what still comes is read and dropped.
#pragma once

#include <array>
#include <cstddef>
#include <list>

#include <sluice/base/clock.hpp>
#include <sluice/net/asio.hpp>
#include <sluice/net/listener.hpp>

namespace sluice::net {

// How long one connection lingers: while enough comes, and not for ever. A client of any speed that
// sends what it has begun gets its answer; one that falls silent or trickles is let go.
class LingerTime {
 public:
  static constexpr std::chrono::seconds total_max{30};
  static constexpr std::chrono::seconds silence_max{3};
  static constexpr std::size_t bytes_per_second_min = 16U
                                                      << 10;  // on average, past the first silence

  explicit LingerTime(MonoTime now) : began_(now), last_(now) {}
  void received(std::size_t bytes, MonoTime now) {
    bytes_ += bytes;
    last_ = now;
  }
  // When it is over, if nothing more comes.
  [[nodiscard]] MonoTime deadline() const;

 private:
  MonoTime began_;
  MonoTime last_;
  std::size_t bytes_ = 0;
};

// Ends connections, those of one thread. What they may cost together is bounded: only so many
// linger, the one that has done so longest giving way to another, and only so many bytes are read
// in a second.
class Lingering {
 public:
  static constexpr std::size_t connections_max = 128;
  static constexpr std::size_t bytes_per_second_max = 128U << 20;

  explicit Lingering(const Clock& clock) : clock_(clock) {}
  Lingering(const Lingering&) = delete;
  Lingering& operator=(const Lingering&) = delete;

  // Returns with the socket closed: by the client's end, after the time above, or soon after the
  // socket was cancelled or closed. It and this outlive the call.
  [[nodiscard]] Task<> close(Socket& socket);
  [[nodiscard]] std::size_t connections() const { return entries_.size(); }

 private:
  struct Entry {
    Socket* socket;
    bool gives_way = false;
  };
  class Presence;

  Task<> read_and_drop(Socket& socket, const Entry& entry);
  void make_room();
  // When bytes may be read; `now` if at once.
  [[nodiscard]] MonoTime may_read_at(MonoTime now);

  const Clock& clock_;
  std::list<Entry> entries_;  // the oldest first
  MonoTime slice_ends_at_{};
  std::size_t slice_bytes_ = 0;            // read in this slice of time
  std::array<char, 64U << 10> dropped_{};  // nobody looks into it
};

}  // namespace sluice::net

// An upstream that does to each connection what a test asks for, byte by byte; and the raw
// connections to see it with.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace sluice::test {

// A blocking connection. Every wait ends after a while; then, and at the peer's end, less comes
// than was asked for.
class RawConnection {
 public:
  explicit RawConnection(int descriptor);
  // Connects to a port of this host.
  static RawConnection to(std::uint16_t port);
  ~RawConnection();
  RawConnection(RawConnection&& other) noexcept;
  RawConnection& operator=(RawConnection&&) = delete;

  // Whether all was written.
  bool write(std::string_view bytes);
  // Up to and with the text.
  std::string read_until(std::string_view text);
  std::string read_head() { return read_until("\r\n\r\n"); }
  std::string read(std::size_t bytes);
  // Until the peer's end.
  std::string read_to_end();
  // Reads and drops; how many bytes came.
  std::size_t drain(std::size_t bytes);
  // Whether the peer has reset the connection, as opposed to having ended it in order.
  [[nodiscard]] bool was_reset() const { return was_reset_; }
  void reset();
  // Nothing more will be written.
  void end();

 private:
  bool fill();

  int descriptor_;
  std::string received_;
  bool was_reset_ = false;
};

// Listens on a free port; each connection is served by `script` on a thread of its own, with its
// number from 0, and closed when that returns.
class ScriptedUpstream {
 public:
  using Script = std::function<void(RawConnection&, std::size_t connection)>;

  explicit ScriptedUpstream(Script script);
  ~ScriptedUpstream();
  ScriptedUpstream(const ScriptedUpstream&) = delete;
  ScriptedUpstream& operator=(const ScriptedUpstream&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string base_url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::size_t accepted() const { return accepted_; }

 private:
  void accept();

  Script script_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<std::size_t> accepted_{0};
  std::vector<std::thread> connections_;  // of the accepting thread, until it has ended
  std::thread accepting_;
};

}  // namespace sluice::test

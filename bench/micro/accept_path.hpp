// The way of a request from its bytes into a memory buffer, with the real session, handler,
// normaliser and buffer, and without sockets.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <session.hpp>

#include <sluice/accept/settlement.hpp>
#include <sluice/base/assert.hpp>
#include <sluice/buffer/admission.hpp>
#include <sluice/buffer/buffer.hpp>
#include <sluice/buffer/dedup_window.hpp>
#include <sluice/deliver/outlook.hpp>

#include "payloads.hpp"

namespace sluice::micro {

class FixedClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall_now() const override { return received_at; }
  [[nodiscard]] MonoTime mono_now() const override { return MonoTime(std::chrono::hours(1)); }
};

// A connection, its thread's handler and a memory buffer, without the sockets: all that is done for
// a request but reading, writing and delivering.
class AcceptPath {
 public:
  // `request`: what a client writes, with so many events, all of them valid.
  AcceptPath(std::string request, std::size_t events)
      : request_(std::move(request)), events_(events) {
    tables_.workspaces.push_back({.name = "default",
                                  .rules = {},
                                  .admission = &admission_,
                                  .buffer = buffer_.get(),
                                  .dedup = &window_,
                                  .outlook = &outlook_});
    probe_.emplace(tables_);
    handler_.emplace(options_, 0, Rng(1), *probe_);
    session_.emplace(*handler_, limits_, [](const Result<void>&) {});
  }

  AcceptPath(const AcceptPath&) = delete;
  AcceptPath& operator=(const AcceptPath&) = delete;

  // One request, from its bytes to its 202; then its events are taken out of the buffer.
  void run() {
    for (std::size_t sent = 0; sent < request_.size();) {
      const std::span<char> space = session_->free_space();
      const std::size_t count = std::min(space.size(), request_.size() - sent);
      std::memcpy(space.data(), request_.data() + sent, count);
      session_->received(count);
      sent += count;
      next_ = session_->next(clock_.mono_now());
    }
    if (next_ == ingest::Session::Next::examine) {  // as on a thread for large bodies
      session_->examine(*handler_);
      session_->examined();
      next_ = session_->next(clock_.mono_now());
    }
    SLUICE_ASSERT(next_ == ingest::Session::Next::write);
    SLUICE_ASSERT(session_->output().starts_with("HTTP/1.1 202"));
    session_->written();
    buffer_->read(groups_, SIZE_MAX);
    std::size_t accepted = 0;
    for (Group::Owner& group : groups_) {
      accepted += group->records().size();
      admission_.release_events(group->records().size());
      admission_.release_bytes(group->footprint_bytes());
      buffer_->release(std::move(group));
    }
    groups_.clear();
    SLUICE_ASSERT(accepted == events_);
  }

 private:
  std::string request_;
  std::size_t events_;
  FixedClock clock_;
  buffer::Admission admission_{{}};
  buffer::DedupWindow window_{{.window = std::chrono::minutes(10), .entries_max = 100'000}};
  accept::Settlement settlement_{window_, admission_};
  std::unique_ptr<buffer::Buffer> buffer_ = buffer::make_memory_buffer(1, settlement_, [] {});
  deliver::Outlook outlook_;
  ingest::Tables tables_;
  ingest::Producers producers_{{}, {"default"}};
  std::atomic<bool> draining_{false};
  ingest::HandlerOptions options_{.clock = &clock_,
                                  .tables = &tables_,
                                  .producers = &producers_,
                                  .draining = &draining_,
                                  .reject_request_on_invalid = false,
                                  .body_bytes_max = 16UL << 20};
  ingest::SessionLimits limits_{.head_bytes_max = 16UL << 10,
                                .head_timeout = std::chrono::seconds(10),
                                .body_timeout = std::chrono::seconds(60),
                                .idle_timeout = std::chrono::seconds(75),
                                .write_timeout = std::chrono::seconds(30)};
  std::optional<ingest::Probe> probe_;
  std::optional<ingest::Handler> handler_;
  std::optional<ingest::Session> session_;
  ingest::Session::Next next_{};
  std::vector<Group::Owner> groups_;
};

// A request that posts this body to the path.
inline std::string post_request(const std::string& path, const std::string& body) {
  return "POST " + path +
         " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n"
         "Content-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace sluice::micro

// Where dead letters are read, purged and replayed while the gateway runs: the work of the disk on
// the storage thread, that of accepting them again on an ingest thread.
#pragma once

#include <atomic>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/thread_pool.hpp>

#include <sluice/admin/dead_letters.hpp>
#include <sluice/base/clock.hpp>
#include <sluice/deadletter/store.hpp>
#include <sluice/ingest/server.hpp>

namespace sluice::runtime {

class DeadLetterDesk final : public admin::DeadLetters {
 public:
  struct Deps {
    deadletter::Store& store;
    net::asio::thread_pool& storage_thread;
    const Clock& clock;
    const std::atomic<bool>& draining;    // no pass is continued then
    std::vector<std::string> workspaces;  // by index
  };
  // What is referred to outlives the desk's coroutines.
  explicit DeadLetterDesk(Deps deps) : deps_(std::move(deps)) {}

  // Before the first request.
  void connect(ingest::Server& ingest) { ingest_ = &ingest; }

  [[nodiscard]] Totals totals() const override;
  [[nodiscard]] net::Task<Result<deadletter::Page>> read(deadletter::Query query) override;
  [[nodiscard]] net::Task<Result<admin::PurgeReport>> purge(admin::Pass pass) override;
  [[nodiscard]] net::Task<Result<admin::ReplayReport>> replay(admin::Pass pass) override;

 private:
  struct Progress;

  net::Task<> replay_page(const deadletter::Page& page, Progress& progress);
  net::Task<> replay_run(std::span<const deadletter::Letter> letters, Progress& progress);
  net::Task<ingest::ReplayOutcome> accept_again(ingest::Replay replay);
  net::Task<Result<void>> remove(std::set<deadletter::LetterId> ids);
  [[nodiscard]] bool may_go_on(MonoTime deadline) const;

  Deps deps_;
  ingest::Server* ingest_ = nullptr;
  bool busy_ = false;  // with a pass
};

}  // namespace sluice::runtime

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include <sluice/base/thread_name.hpp>
#include <sluice/store/store.hpp>

#include "door.hpp"
#include "folder.hpp"
#include "tally.hpp"

namespace sluice::store {
namespace {

// A thread that takes turns: when it is rung for, and when the last turn said so.
class Turns {
 public:
  ~Turns() { stop(); }

  void start(const char* name, std::function<MonoTime()> turn) {
    thread_ = std::jthread([this, name, turn = std::move(turn)](const std::stop_token& stopped) {
      name_this_thread(name);
      while (!stopped.stop_requested()) {
        wait_until(turn());
      }
    });
  }
  void ring() {
    const std::lock_guard lock(mutex_);
    rung_ = true;
    changed_.notify_one();
  }
  void stop() {
    thread_.request_stop();
    ring();
    if (thread_.joinable()) {
      thread_.join();
    }
  }

 private:
  void wait_until(MonoTime due) {
    std::unique_lock lock(mutex_);
    const auto is_rung = [this] { return rung_; };
    if (due == MonoTime::max()) {
      changed_.wait(lock, is_rung);
    } else {
      changed_.wait_until(lock, due, is_rung);
    }
    rung_ = false;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
  std::jthread thread_;
};

class ThreadedStore final : public Store {
 public:
  ThreadedStore(std::shared_ptr<Folder> folder, std::optional<TallyFile> tally,
                std::stop_source stopping)
      : stopping_(std::move(stopping)), folder_(std::move(folder)), tally_(std::move(tally)) {}
  ~ThreadedStore() override { close(); }

  [[nodiscard]] Result<void> start(const Options& options, std::vector<Workspace> workspaces,
                                   const Clock& clock, std::unique_ptr<Engine> engine) {
    auto core = open_stepped(
        options, std::move(workspaces), clock, std::move(engine),
        {.commit = [this] { commits_.ring(); }, .read = [this] { reads_.ring(); }},
        [this](const std::string& workspace, Ticket ticket, std::string_view record) {
          if (folder_) {
            folder_->quarantine(workspace, ticket, record);
          }
        },
        [this](std::uint32_t format) {
          return folder_ ? folder_->raise_format(format) : Result<void>();
        },
        tally_ ? TallyKeeper{.found = tally_->found(),
                             .keep = [this](std::string_view bytes) { tally_->keep(bytes); }}
               : TallyKeeper{});
    if (!core) {
      return std::unexpected(core.error());
    }
    core_ = *std::move(core);
    commits_.start("commit", [this] { return core_->commit_step(); });
    reads_.start("read-back", [this] { return core_->read_step(); });
    return {};
  }

  [[nodiscard]] buffer::Buffer& buffer(std::size_t workspace) override {
    return core_->buffer(workspace);
  }
  [[nodiscard]] Backlog recovered(std::size_t workspace) const override {
    return core_->recovered(workspace);
  }
  void expose(metrics::Exposition& exposition) const override { core_->expose(exposition); }
  std::uint64_t close() override {
    stopping_.request_stop();
    reads_.stop();
    commits_.stop();
    return core_ ? core_->close() : 0;
  }

 private:
  std::stop_source stopping_;       // what the engine would wait for
  std::shared_ptr<Folder> folder_;  // locked until the very end; none: the engine is a test's
  std::optional<TallyFile> tally_;
  Turns commits_;
  Turns reads_;
  std::unique_ptr<SteppedStore> core_;
};

}  // namespace

Result<std::unique_ptr<Store>> open(const Options& options, std::vector<Workspace> workspaces,
                                    const Clock& clock, std::unique_ptr<Engine> engine) {
  std::shared_ptr<Folder> folder;
  std::optional<TallyFile> tally;
  Door door;
  std::stop_source stopping;
  if (engine == nullptr) {
    auto files = open_files(options, stopping.get_token());
    if (!files) {
      return std::unexpected(files.error());
    }
    folder = std::move(files->folder);
    tally.emplace(std::move(files->tally));
    door = std::move(files->door);
    engine = std::move(files->engine);
  }
  auto store =
      std::make_unique<ThreadedStore>(std::move(folder), std::move(tally), std::move(stopping));
  const auto started = store->start(options, std::move(workspaces), clock, std::move(engine));
  mark_opened(door);
  if (started && !door.program.empty()) {
    mark_at_abnormal_end(door);
  }
  if (!started) {
    return std::unexpected(started.error());
  }
  return store;
}

}  // namespace sluice::store

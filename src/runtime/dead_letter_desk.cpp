#include "dead_letter_desk.hpp"

#include <algorithm>
#include <utility>

#include <sluice/base/log.hpp>
#include <sluice/event/kind.hpp>

#include "on_thread.hpp"

namespace sluice::runtime {
namespace {

using deadletter::LetterId;
using net::Task;

// After so long a pass says how far it has come, so that nobody waits for an answer for ever.
constexpr std::chrono::seconds pass_time_max{5};
constexpr std::size_t letters_per_step = 1'000;

// Sets a flag for a scope.
class Busy {
 public:
  explicit Busy(bool& flag) : flag_(flag) { flag_ = true; }
  ~Busy() { flag_ = false; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  bool& flag_;
};

std::unexpected<Error> busy() {
  return failure(std::errc::device_or_resource_busy,
                 "dead letters are being replayed or purged: wait for that to end");
}

// What may be accepted again in one group.
bool fit_together(const deadletter::Letter& a, const deadletter::Letter& b) {
  return a.workspace == b.workspace && a.kind == b.kind && a.traceparent == b.traceparent;
}

}  // namespace

struct DeadLetterDesk::Progress {
  admin::ReplayReport report;
  admin::Cursor at;
  std::set<LetterId> accepted;  // and still in the store

  void keep(LetterId id, std::string why) {
    ++report.kept;
    if (report.why.size() < admin::kept_listed_max) {
      report.why.push_back({.id = id, .why = std::move(why)});
    }
  }
};

DeadLetterDesk::Totals DeadLetterDesk::totals() const {
  return {.letters = deps_.store.letters(),
          .bytes = deps_.store.size_bytes(),
          .unreadable_lines = deps_.store.unreadable_lines()};
}

Task<Result<deadletter::Page>> DeadLetterDesk::read(deadletter::Query query) {
  auto work = [&store = deps_.store, query = std::move(query)] { return store.read(query); };
  co_return co_await on_thread(deps_.storage_thread, std::move(work));
}

Task<Result<admin::PurgeReport>> DeadLetterDesk::purge(admin::Pass pass) {
  if (busy_) {
    co_return busy();
  }
  const Busy guard(busy_);
  const MonoTime deadline = deps_.clock.mono_now() + pass_time_max;
  admin::Cursor at = pass.cursor.value_or(admin::Cursor{.last = deps_.store.last_id()});
  admin::PurgeReport report;
  while (!report.cursor) {
    auto work = [&store = deps_.store, &pass, at] {
      return store.remove(pass.selection, at.after, at.last);
    };
    const auto removed = co_await on_thread(deps_.storage_thread, std::move(work));
    if (!removed) {
      report.stopped = removed.error().message;
      report.cursor = at;
      break;
    }
    report.purged += removed->letters;
    if (!removed->next) {
      break;
    }
    at.after = *removed->next;
    if (!may_go_on(deadline)) {
      report.cursor = at;
    }
  }
  if (report.purged > 0) {
    SLUICE_LOG(warn, "dead letters were purged", {"letters", report.purged});
  }
  co_return report;
}

Task<Result<admin::ReplayReport>> DeadLetterDesk::replay(admin::Pass pass) {
  if (busy_) {
    co_return busy();
  }
  const Busy guard(busy_);
  const MonoTime deadline = deps_.clock.mono_now() + pass_time_max;
  Progress progress;
  progress.at = pass.cursor.value_or(admin::Cursor{.last = deps_.store.last_id()});
  admin::ReplayReport& report = progress.report;
  while (true) {
    deadletter::Query query{.selection = pass.selection,
                            .after = progress.at.after,
                            .last = progress.at.last,
                            .letters_max = letters_per_step};
    const auto page = co_await read(std::move(query));
    if (!page) {
      report.stopped = page.error().message;
    } else {
      co_await replay_page(*page, progress);
    }
    if (report.stopped.empty() && !page->next) {
      break;
    }
    if (!report.stopped.empty() || !may_go_on(deadline)) {
      report.cursor = progress.at;
      break;
    }
  }
  SLUICE_LOG(info, "dead letters were replayed", {"letters", report.replayed},
             {"kept", report.kept}, {"stopped", report.stopped});
  co_return std::move(report);
}

// In runs that fit together, in the order in which they died.
Task<> DeadLetterDesk::replay_page(const deadletter::Page& page, Progress& progress) {
  const std::span<const deadletter::Letter> letters(page.letters);
  std::size_t begin = 0;
  while (begin < letters.size() && progress.report.stopped.empty()) {
    std::size_t end = begin + 1;
    while (end < letters.size() && fit_together(letters[begin], letters[end])) {
      ++end;
    }
    co_await replay_run(letters.subspan(begin, end - begin), progress);
    begin = end;
  }
  if (progress.report.stopped.empty()) {
    progress.at.after = page.next.value_or(progress.at.after);
  }
  const auto removed = co_await remove(std::exchange(progress.accepted, {}));
  if (!removed) {
    progress.report.stopped =
        "they were accepted and cannot be removed from the store: " + removed.error().message;
  }
}

Task<> DeadLetterDesk::replay_run(std::span<const deadletter::Letter> letters, Progress& progress) {
  const auto workspace = std::ranges::find(deps_.workspaces, letters.front().workspace);
  if (workspace == deps_.workspaces.end()) {
    for (const deadletter::Letter& letter : letters) {
      progress.keep(letter.id, "no workspace `" + letter.workspace + "` is configured");
    }
    co_return;
  }
  const auto kind = kind_from_name(letters.front().kind);
  if (!kind) {
    for (const deadletter::Letter& letter : letters) {
      progress.keep(letter.id, "this version knows no kind `" + letter.kind + "`");
    }
    co_return;
  }
  ingest::Replay replay{.workspace = static_cast<std::size_t>(workspace - deps_.workspaces.begin()),
                        .kind = *kind,
                        .traceparent = letters.front().traceparent,
                        .events = {}};
  for (const deadletter::Letter& letter : letters) {
    replay.events.push_back(letter.event);
  }
  const ingest::ReplayOutcome outcome = co_await accept_again(std::move(replay));
  if (!outcome.refused.empty()) {
    progress.report.stopped = outcome.refused;
    co_return;
  }
  progress.report.replayed += outcome.accepted.size();
  auto reason = outcome.rejections.begin();
  for (std::uint32_t index = 0; index < letters.size(); ++index) {
    progress.at.after = letters[index].id;
    if (std::ranges::binary_search(outcome.accepted, index)) {
      progress.accepted.insert(letters[index].id);
      continue;
    }
    reason = std::find_if(reason, outcome.rejections.end(),
                          [&](const normalise::Rejection& it) { return it.index >= index; });
    const bool is_known = reason != outcome.rejections.end() && reason->index == index;
    progress.keep(letters[index].id,
                  is_known
                      ? std::string(normalise::to_string(reason->reason)) + ": " +
                            (reason->field.empty() ? "" : reason->field + ": ") + reason->message
                      : "it is not valid (any more)");
  }
}

Task<ingest::ReplayOutcome> DeadLetterDesk::accept_again(ingest::Replay replay) {
  auto start = [this, replay = std::move(replay)](const auto& done) mutable {
    ingest_->replay(std::move(replay), done);
  };
  co_return co_await await_callback<ingest::ReplayOutcome>(std::move(start));
}

Task<Result<void>> DeadLetterDesk::remove(std::set<LetterId> ids) {
  LetterId after = 0;
  while (!ids.empty()) {
    auto work = [&store = deps_.store, &ids, after] {
      return store.remove(ids, after, *ids.rbegin());
    };
    const auto step = co_await on_thread(deps_.storage_thread, std::move(work));
    if (!step) {
      co_return std::unexpected(step.error());
    }
    if (!step->next) {
      break;
    }
    after = *step->next;
  }
  co_return Result<void>();
}

bool DeadLetterDesk::may_go_on(MonoTime deadline) const {
  return deps_.clock.mono_now() < deadline && !deps_.draining.load(std::memory_order_relaxed);
}

}  // namespace sluice::runtime

#include <algorithm>

#include <sluice/buffer/dedup_window.hpp>

namespace sluice::buffer {

DedupWindow::DedupWindow(Options options) : options_(options) {}

bool DedupWindow::try_enter(normalise::DedupKey key, MonoTime now) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  expire(shard, now);
  if (!shard.keys.insert(key).second) {
    return false;
  }
  make_room(shard);
  shard.by_age.push_back({.key = key, .entered_at = now});
  return true;
}

void DedupWindow::forget(normalise::DedupKey key) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  shard.keys.erase(key);
  // The newest entries are the ones that are forgotten: the search is short.
  const auto entry =
      std::ranges::find(shard.by_age.rbegin(), shard.by_age.rend(), key, &Entry::key);
  if (entry != shard.by_age.rend()) {
    shard.by_age.erase(std::prev(entry.base()));
  }
}

std::size_t DedupWindow::size() const {
  std::size_t total = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    total += shard.keys.size();
  }
  return total;
}

void DedupWindow::expire(Shard& shard, MonoTime now) const {
  while (!shard.by_age.empty() && now - shard.by_age.front().entered_at >= options_.window) {
    drop_oldest(shard);
  }
}

void DedupWindow::make_room(Shard& shard) const {
  const std::size_t entries_max = std::max<std::size_t>(1, options_.entries_max / shard_count);
  while (shard.by_age.size() >= entries_max) {
    drop_oldest(shard);
  }
}

void DedupWindow::drop_oldest(Shard& shard) {
  shard.keys.erase(shard.by_age.front().key);
  shard.by_age.pop_front();
}

}  // namespace sluice::buffer

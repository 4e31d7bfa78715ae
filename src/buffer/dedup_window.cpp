#include <algorithm>
#include <ranges>

#include <sluice/buffer/dedup_window.hpp>

namespace sluice::buffer {

DedupWindow::DedupWindow(Options options) : options_(options) {}

DedupWindow::Entry DedupWindow::try_reserve(DedupKey key, MonoTime now) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  if (enter(shard, key, {.pending = true}, now)) {
    return Entry::reserved;
  }
  return shard.keys.find(key)->second.pending ? Entry::pending : Entry::duplicate;
}

void DedupWindow::confirm(std::span<const DedupKey> keys) {
  for (const DedupKey key : keys) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    // It may have been crowded out of the window already.
    if (const auto found = shard.keys.find(key); found != shard.keys.end()) {
      found->second.pending = false;
    }
  }
}

void DedupWindow::give_up(std::span<const DedupKey> keys) {
  for (const DedupKey key : std::views::reverse(keys)) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    shard.keys.erase(key);
    // The newest entries are the ones that are given up: from the last on, the search is short.
    const auto entry =
        std::ranges::find(shard.by_age.rbegin(), shard.by_age.rend(), key, &Aged::key);
    if (entry != shard.by_age.rend()) {
      shard.by_age.erase(std::prev(entry.base()));
    }
  }
}

void DedupWindow::restore(DedupKey key, MonoTime entered_at) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  enter(shard, key, {}, entered_at);
}

void DedupWindow::remember(const RememberedAnswer& answer, MonoTime now) {
  Shard& shard = shard_of(answer.request);
  const std::lock_guard lock(shard.mutex);
  enter(shard, answer.request, {.accepted = answer.accepted, .duplicates = answer.duplicates}, now);
}

std::optional<RememberedAnswer> DedupWindow::answer_to(DedupKey request, MonoTime now) {
  Shard& shard = shard_of(request);
  const std::lock_guard lock(shard.mutex);
  expire(shard, now);
  const auto found = shard.keys.find(request);
  if (found == shard.keys.end()) {
    return std::nullopt;
  }
  return RememberedAnswer{.request = request,
                          .accepted = found->second.accepted,
                          .duplicates = found->second.duplicates};
}

std::size_t DedupWindow::size() const {
  std::size_t total = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    total += shard.keys.size();
  }
  return total;
}

bool DedupWindow::enter(Shard& shard, DedupKey key, Value value, MonoTime now) const {
  expire(shard, now);
  const auto [entry, is_new] = shard.keys.try_emplace(key, value);
  if (!is_new) {
    return false;
  }
  make_room(shard);
  try {
    shard.by_age.push_back({.key = key, .entered_at = now});
  } catch (...) {
    shard.keys.erase(entry);  // it would never expire
    throw;
  }
  return true;
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

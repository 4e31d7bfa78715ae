#include <algorithm>
#include <ranges>
#include <type_traits>
#include <utility>

#include <sluice/buffer/dedup_window.hpp>

namespace sluice::buffer {

DedupWindow::DedupWindow(Options options) : options_(options) {}

DedupWindow::Entry DedupWindow::try_reserve(DedupKey key, MonoTime now,
                                            std::vector<DedupKey>& reserved) {
  Shard& shard = shard_of(key.identity);
  const std::lock_guard lock(shard.mutex);
  expire(shard, now);
  return reserve(shard, key, now, reserved);
}

DedupWindow::AgainEntry DedupWindow::try_reserve_again(DedupKey key, MonoTime now,
                                                       std::vector<DedupKey>& reserved) {
  Shard& shard = shard_of(key.identity);
  const std::lock_guard lock(shard.mutex);
  expire(shard, now);
  const auto found = shard.events.find(key.identity);
  if (found == shard.events.end() || found->second.pending) {
    return reserve(shard, key, now, reserved) == Entry::pending ? AgainEntry::pending
                                                                : AgainEntry::reserved;
  }
  if (found->second.content != key.content) {
    return AgainEntry::superseded;
  }
  const Event again{.content = key.content,
                    .confirmed = key.content,
                    .entered_at = now,
                    .position = static_cast<std::uint32_t>(reserved.size()),
                    .pending = true,
                    .changes = true};
  enter(shard, shard.events, key.identity, again);
  reserved.push_back(key);
  return AgainEntry::reserved;
}

DedupWindow::Entry DedupWindow::reserve(Shard& shard, DedupKey key, MonoTime now,
                                        std::vector<DedupKey>& reserved) const {
  const auto position = static_cast<std::uint32_t>(reserved.size());
  const auto found = shard.events.find(key.identity);
  if (found == shard.events.end()) {
    enter(shard, shard.events, key.identity,
          Event{.content = key.content, .entered_at = now, .position = position, .pending = true});
    reserved.push_back(key);
    return Entry::reserved;
  }
  Event& event = found->second;
  if (event.pending) {
    // Who has reserved it knows it by its place: nobody else has reserved this identity.
    const bool is_own =
        event.position < reserved.size() && reserved[event.position].identity == key.identity;
    if (!is_own) {
      return Entry::pending;
    }
    if (event.content == key.content) {
      return Entry::duplicate;
    }
    event.content = key.content;
    reserved[event.position] = key;
    return Entry::changed;
  }
  if (event.content == key.content) {
    return Entry::duplicate;
  }
  const Event change{.content = key.content,
                     .confirmed = event.content,
                     .entered_at = now,
                     .position = position,
                     .pending = true,
                     .changes = true};
  enter(shard, shard.events, key.identity, change);
  reserved.push_back(key);
  return Entry::changed;
}

DedupWindow::RequestLookup DedupWindow::try_reserve_request(const KeyedRequest& request,
                                                            MonoTime now) {
  Shard& shard = shard_of(request.key.identity);
  const std::lock_guard lock(shard.mutex);
  expire(shard, now);
  const auto found = shard.requests.find(request.key.identity);
  if (found == shard.requests.end()) {
    enter(shard, shard.requests, request.key.identity,
          Request{.first = {.answer = {.request = request.key},
                            .received_at = request.received_at,
                            .id = std::string(request.id)},
                  .entered_at = now,
                  .pending = true});
    return {.entry = RequestEntry::reserved};
  }
  if (found->second.pending) {
    return {.entry = RequestEntry::pending};
  }
  const FirstRequest& first = found->second.first;
  return {
      .entry = first.answer.request == request.key ? RequestEntry::repeated : RequestEntry::reused,
      .first = first};
}

void DedupWindow::confirm(std::span<const DedupKey> keys,
                          const std::optional<RememberedAnswer>& answer) {
  for (const DedupKey key : keys) {
    Shard& shard = shard_of(key.identity);
    const std::lock_guard lock(shard.mutex);
    // It may have been crowded out of the window already.
    const auto found = shard.events.find(key.identity);
    if (found != shard.events.end() && found->second.content == key.content) {
      found->second.pending = false;
      found->second.changes = false;
    }
  }
  if (answer) {
    Shard& shard = shard_of(answer->request.identity);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.requests.find(answer->request.identity);
    if (found != shard.requests.end() && found->second.pending) {
      found->second.first.answer = *answer;
      found->second.pending = false;
    }
  }
}

void DedupWindow::give_up(std::span<const DedupKey> keys, const std::optional<DedupKey>& request) {
  for (const DedupKey key : std::views::reverse(keys)) {
    Shard& shard = shard_of(key.identity);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.events.find(key.identity);
    if (found == shard.events.end() || !found->second.pending ||
        found->second.content != key.content) {
      continue;
    }
    Event& event = found->second;
    if (std::exchange(event.changes, false)) {
      event.content = event.confirmed;
      event.pending = false;
    } else {
      forget(shard, key.identity, false);
    }
  }
  if (request) {
    Shard& shard = shard_of(request->identity);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.requests.find(request->identity);
    if (found != shard.requests.end() && found->second.pending) {
      forget(shard, request->identity, true);
    }
  }
}

void DedupWindow::give_up(const Group& group) {
  give_up(group.dedup_keys(),
          group.answer() ? std::optional(group.answer()->request) : std::nullopt);
}

void DedupWindow::restore(DedupKey key, MonoTime entered_at) {
  Shard& shard = shard_of(key.identity);
  const std::lock_guard lock(shard.mutex);
  expire(shard, entered_at);
  enter(shard, shard.events, key.identity, Event{.content = key.content, .entered_at = entered_at});
}

void DedupWindow::restore(const RememberedAnswer& answer, WallTime received_at,
                          MonoTime entered_at) {
  Shard& shard = shard_of(answer.request.identity);
  const std::lock_guard lock(shard.mutex);
  expire(shard, entered_at);
  enter(shard, shard.requests, answer.request.identity,
        Request{.first = {.answer = answer, .received_at = received_at, .id = {}},
                .entered_at = entered_at});
}

std::optional<DedupKey> DedupWindow::latest(std::uint64_t identity, MonoTime now) {
  Shard& shard = shard_of(identity);
  const std::lock_guard lock(shard.mutex);
  expire(shard, now);
  const auto found = shard.events.find(identity);
  if (found == shard.events.end()) {
    return std::nullopt;
  }
  return DedupKey{.identity = identity, .content = found->second.content};
}

std::size_t DedupWindow::size() const {
  std::size_t total = 0;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    total += shard.events.size() + shard.requests.size();
  }
  return total;
}

// Puts the entry in the place of what is known of the identity. Where memory runs out nothing has
// changed.
template <class Entries, class Known>
void DedupWindow::enter(Shard& shard, Entries& entries, std::uint64_t identity, Known entry) const {
  const Aged aged{.identity = identity,
                  .entered_at = entry.entered_at,
                  .of_request = std::is_same_v<Known, Request>};
  if (const auto found = entries.find(identity); found != entries.end()) {
    shard.by_age.push_back(aged);
    found->second = std::move(entry);
  } else {
    const auto entered = entries.emplace(identity, std::move(entry)).first;
    try {
      shard.by_age.push_back(aged);
    } catch (...) {
      entries.erase(entered);  // it would never expire
      throw;
    }
  }
  const std::size_t entries_max = std::max<std::size_t>(1, options_.entries_max / shard_count);
  while (shard.by_age.size() > entries_max) {
    drop_oldest(shard);
  }
}

void DedupWindow::expire(Shard& shard, MonoTime now) const {
  while (!shard.by_age.empty() && now - shard.by_age.front().entered_at >= options_.window) {
    drop_oldest(shard);
  }
}

void DedupWindow::drop_oldest(Shard& shard) {
  const Aged oldest = shard.by_age.front();
  shard.by_age.pop_front();
  const auto drop_from = [&oldest](auto& entries) {
    const auto found = entries.find(oldest.identity);
    if (found != entries.end() && found->second.entered_at == oldest.entered_at) {
      entries.erase(found);
    }
  };
  if (oldest.of_request) {
    drop_from(shard.requests);
  } else {
    drop_from(shard.events);
  }
}

void DedupWindow::forget(Shard& shard, std::uint64_t identity, bool of_request) {
  if (of_request) {
    shard.requests.erase(identity);
  } else {
    shard.events.erase(identity);
  }
  // What is given up was entered lately: from the last on, the search is short.
  const auto entry = std::ranges::find_if(
      shard.by_age.rbegin(), shard.by_age.rend(),
      [&](const Aged& aged) { return aged.identity == identity && aged.of_request == of_request; });
  if (entry != shard.by_age.rend()) {
    shard.by_age.erase(std::prev(entry.base()));
  }
}

}  // namespace sluice::buffer

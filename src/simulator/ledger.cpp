#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <mutex>
#include <utility>

#include <xxhash.h>

#include <sluice/simulator/ledger.hpp>

#include "iso_time.hpp"
#include "key_table.hpp"

namespace sluice::simulator {
namespace {

// Line feeds cannot be part of an identifier, so that no two clients share a text.
void append_profile(std::string& out, const ClientIdentity& client) {
  const std::size_t start = out.size();
  const auto append = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) {
      if (out.size() > start) {
        out += '\n';
      }
      out += name;
      out += value;
    }
  };
  append("id:", client.id ? std::to_string(*client.id) : std::string());
  append("customId:", client.custom_id);
  append("uuid:", client.uuid);
  append("email:", client.email);
}

bool has_identity(const Arrival& arrival) { return !arrival.salt.empty() && arrival.time_is_own; }

Key key_of(const Arrival& arrival, std::string& scratch) {
  const auto time_ms = std::bit_cast<std::array<char, sizeof(std::int64_t)>>(
      std::int64_t{arrival.time.time_since_epoch().count()});
  const std::array<std::uint32_t, 2> sizes{static_cast<std::uint32_t>(arrival.salt.size()),
                                           static_cast<std::uint32_t>(arrival.action.size())};
  const auto size_bytes = std::bit_cast<std::array<char, sizeof sizes>>(sizes);
  scratch.assign(time_ms.data(), time_ms.size());
  scratch.append(size_bytes.data(), size_bytes.size());
  scratch += arrival.salt;
  scratch += arrival.action;
  append_profile(scratch, arrival.client);
  const XXH128_hash_t hash = XXH3_128bits(scratch.data(), scratch.size());
  return {.low = hash.low64, .high = hash.high64};
}

// Of the salt alone, and of the profile and action that it stands for: never 0.
struct SaltUse {
  Key salt{};
  std::uint32_t event = 0;
};

SaltUse salt_use_of(const Arrival& arrival, std::string& scratch) {
  const XXH128_hash_t salt = XXH3_128bits(arrival.salt.data(), arrival.salt.size());
  scratch = arrival.action;
  scratch += '\n';
  append_profile(scratch, arrival.client);
  const auto event = static_cast<std::uint32_t>(XXH3_64bits(scratch.data(), scratch.size()));
  return {.salt = {.low = salt.low64, .high = salt.high64}, .event = std::max(event, 1U)};
}

// An entry as it is kept: all texts in one allocation.
class Stored {
 public:
  Stored(const Arrival& arrival, std::uint64_t seq)
      : time_(arrival.time), first_seq_(seq), last_seq_(seq) {
    text_.reserve(arrival.salt.size() + arrival.action.size() + arrival.label.size() +
                  arrival.body.size() + arrival.client.custom_id.size() +
                  arrival.client.uuid.size() + arrival.client.email.size() + identifier_names_max);
    append_profile(text_, arrival.client);
    ends_[profile_part] = text_.size();
    put(salt_part, arrival.salt);
    put(action_part, arrival.action);
    put(label_part, arrival.label);
    text_ += arrival.body;
  }

  // Whether it says something else than before.
  bool deliver_again(const Arrival& arrival, std::uint64_t seq) {
    const bool overwrites = body() != arrival.body;
    if (overwrites) {
      Stored last(arrival, first_seq_);
      last.count_ = count_;
      last.overwrites_ = overwrites_ + 1;
      *this = std::move(last);
    }
    ++count_;
    last_seq_ = seq;
    return overwrites;
  }
  [[nodiscard]] std::string_view body() const {
    return std::string_view(text_).substr(ends_.back());
  }
  [[nodiscard]] std::string_view profile() const { return part(profile_part); }
  [[nodiscard]] std::string_view salt() const { return part(salt_part); }
  [[nodiscard]] LedgerEntry to_entry() const {
    return {.salt = std::string(salt()),
            .time = iso_time(time_),
            .profile = std::string(profile()),
            .action = std::string(part(action_part)),
            .label = std::string(part(label_part)),
            .body = std::string(body()),
            .count = count_,
            .overwrites = overwrites_,
            .first_seq = first_seq_,
            .last_seq = last_seq_};
  }

 private:
  enum Part : std::size_t { profile_part, salt_part, action_part, label_part, part_count };
  static constexpr std::size_t identifier_names_max = 48;

  void put(Part which, std::string_view value) {
    text_ += value;
    ends_[which] = text_.size();
  }
  [[nodiscard]] std::string_view part(Part which) const {
    const std::size_t start = which == profile_part ? 0 : ends_[which - 1];
    return std::string_view(text_).substr(start, ends_[which] - start);
  }

  std::string text_;  // the parts, then the body
  std::array<std::size_t, part_count> ends_{};
  WallTime time_;
  std::uint64_t first_seq_;
  std::uint64_t last_seq_;
  std::uint32_t count_ = 1;
  std::uint32_t overwrites_ = 0;
};

// What a compact ledger keeps of an event: how often it was delivered, up to a limit, and a hash of
// what it said last. Never 0.
constexpr std::uint32_t content_mask = 0xFFFF;
constexpr std::uint32_t count_one = content_mask + 1;
constexpr std::uint32_t count_max = ~content_mask;

std::uint32_t content_of(const Arrival& arrival) {
  return static_cast<std::uint32_t>(XXH3_64bits(arrival.body.data(), arrival.body.size())) &
         content_mask;
}

}  // namespace

struct Ledger::Contents {
  mutable std::mutex mutex;
  LedgerSummary summary;
  // Compact: count and content, as above. Full: the entry's index, from 1.
  KeyTable table;
  std::deque<Stored> entries;
  KeyTable salts;  // of each, the event that it came with first

  bool conflicts(const SaltUse& use) {
    std::uint32_t& first = salts[use.salt];
    if (first == 0) {
      first = use.event;
    }
    return first != use.event;
  }

  void record_anonymous(const Arrival& arrival, LedgerMode mode) {
    ++summary.unique;
    if (mode == LedgerMode::full) {
      entries.emplace_back(arrival, summary.deliveries);
    }
  }

  void record_keyed(const Arrival& arrival, const Key& key, LedgerMode mode) {
    std::uint32_t& value = table[key];
    const bool is_full = mode == LedgerMode::full;
    const std::uint32_t content = is_full ? 0 : content_of(arrival);
    if (value == 0) {
      ++summary.unique;
      if (is_full) {
        entries.emplace_back(arrival, summary.deliveries);
      }
      value = is_full ? static_cast<std::uint32_t>(entries.size()) : count_one | content;
      return;
    }
    const bool overwrites = is_full ? entries[value - 1].deliver_again(arrival, summary.deliveries)
                                    : (value & content_mask) != content;
    ++(overwrites ? summary.overwrites : summary.repetitions);
    if (!is_full) {
      const std::uint32_t count = value & ~content_mask;
      value = (count == count_max ? count : count + count_one) | content;
    }
  }
};

Ledger::Ledger(LedgerMode mode) : mode_(mode), contents_(std::make_unique<Contents>()) {}
Ledger::~Ledger() = default;

std::uint64_t Ledger::record(std::span<const Arrival> arrivals) {
  constexpr std::size_t prefetch_distance = 8;
  std::vector<Key> keys(arrivals.size());
  std::vector<SaltUse> salts(arrivals.size());
  std::string scratch;
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    if (has_identity(arrivals[i])) {
      keys[i] = key_of(arrivals[i], scratch);
    }
    if (!arrivals[i].salt.empty()) {
      salts[i] = salt_use_of(arrivals[i], scratch);
    }
  }
  std::uint64_t conflicts = 0;
  const std::lock_guard lock(contents_->mutex);
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    if (i + prefetch_distance < keys.size()) {
      contents_->table.prefetch(keys[i + prefetch_distance]);
      contents_->salts.prefetch(salts[i + prefetch_distance].salt);
    }
    if (salts[i].event != 0 && contents_->conflicts(salts[i])) {
      ++conflicts;
    }
    ++contents_->summary.deliveries;
    if (has_identity(arrivals[i])) {
      contents_->record_keyed(arrivals[i], keys[i], mode_);
    } else {
      contents_->record_anonymous(arrivals[i], mode_);
    }
  }
  return conflicts;
}

void Ledger::clear() {
  const std::lock_guard lock(contents_->mutex);
  contents_->summary = {};
  contents_->table.clear();
  contents_->salts.clear();
  contents_->entries.clear();
}

LedgerSummary Ledger::summary() const {
  const std::lock_guard lock(contents_->mutex);
  return contents_->summary;
}

std::uint32_t Ledger::deliveries_of(const Arrival& arrival) const {
  if (!has_identity(arrival)) {
    return 0;
  }
  std::string scratch;
  const Key key = key_of(arrival, scratch);
  const std::lock_guard lock(contents_->mutex);
  const std::uint32_t value = contents_->table.find(key);
  if (value == 0) {
    return 0;
  }
  return mode_ == LedgerMode::compact ? value / count_one
                                      : contents_->entries[value - 1].to_entry().count;
}

std::vector<LedgerEntry> Ledger::entries(const LedgerQuery& query) const {
  std::vector<LedgerEntry> found;
  std::size_t to_skip = query.offset;
  const std::lock_guard lock(contents_->mutex);
  for (const Stored& stored : contents_->entries) {
    if ((!query.profile.empty() && stored.profile() != query.profile) ||
        (!query.salt.empty() && stored.salt() != query.salt)) {
      continue;
    }
    if (to_skip > 0) {
      --to_skip;
    } else if (found.size() == query.limit) {
      break;
    } else {
      found.push_back(stored.to_entry());
    }
  }
  return found;
}

std::optional<LedgerEntry> Ledger::find(std::string_view salt) const {
  const std::lock_guard lock(contents_->mutex);
  const auto found = std::ranges::find(contents_->entries, salt, &Stored::salt);
  return found == contents_->entries.end() ? std::nullopt : std::optional(found->to_entry());
}

}  // namespace sluice::simulator

#include "rocksdb_copy.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <ranges>
#include <string_view>
#include <vector>

#include <rocksdb/metadata.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <sluice/base/log.hpp>

#include "codec.hpp"

namespace sluice::store {
namespace {

constexpr std::size_t copied_at_once_bytes = 1U << 20;
// Of a workspace's keys that cannot be read in order, so many are looked for one by one, the
// newest.
constexpr Ticket looked_for_max = 1U << 20;

// Where tables begin and end: between two neighbours, either all keys are in reach of a table, or
// none.
std::set<std::string> seams_of(rocksdb::DB& from) {
  std::vector<rocksdb::LiveFileMetaData> tables;
  from.GetLiveFilesMetaData(&tables);
  std::set<std::string> seams;
  for (const rocksdb::LiveFileMetaData& table : tables) {
    seams.insert(table.smallestkey);
    seams.insert(table.largestkey + '\0');
  }
  return seams;
}

struct KeyRange {
  std::string from;
  std::string to;
};

class Copying {
 public:
  Copying(rocksdb::DB& from, rocksdb::DB& into,
          const std::set<std::string, std::less<>>& workspaces)
      : from_(from), into_(into), workspaces_(workspaces) {
    how_.fill_cache = false;
    how_.ignore_range_deletions = true;
  }

  rocksdb::Status run() {
    const std::set<std::string> seams = seams_of(from_);
    std::string begin;
    while (write_status_.ok()) {
      const rocksdb::Status read = copy_in_order(begin);
      const auto seam = seams.upper_bound(begin);
      if (read.ok() || !write_status_.ok() || seam == seams.end()) {
        break;
      }
      if (!unreadable_) {
        unreadable_ = read;
      }
      pick({.from = begin, .to = *seam});
      begin = *seam;
    }
    if (unreadable_) {
      SLUICE_LOG(error, "a part of what the disk buffer held cannot be saved",
                 {"error", unreadable_->ToString()});
    }
    return write(true);
  }

 private:
  // `begin` becomes what comes behind the last key that was read.
  rocksdb::Status copy_in_order(std::string& begin) {
    const std::unique_ptr<rocksdb::Iterator> iterator(from_.NewIterator(how_));
    for (iterator->Seek(begin); iterator->Valid() && write_status_.ok(); iterator->Next()) {
      put(iterator->key(), iterator->value());
      begin = iterator->key().ToString() + '\0';
    }
    return iterator->status();
  }

  // Finds what is in memory, or in another table, by its key.
  void pick(const KeyRange& range) {
    for (const std::string& appended_key : workspaces_) {
      const WorkspaceId id = workspace_of_key(appended_key);
      const std::string low_key = make_key(Tag::low, id);
      pick_key(appended_key, range);
      pick_key(low_key, range);
      const auto appended_value = get(appended_key);
      const auto appended =
          appended_value ? decode_appended(appended_key, *appended_value) : std::nullopt;
      if (!appended) {
        continue;
      }
      const auto low_value = get(low_key);
      const auto low = low_value ? decode_position(low_key, *low_value) : std::nullopt;
      const Ticket end = appended->next.ticket;
      const Ticket newest = end - std::min(end, looked_for_max);
      const Ticket begin = std::min(end, std::max(newest, low ? low->ticket : 0));
      pick_tickets(Tag::dedup, id, std::views::iota(newest, end), range);
      pick_tickets(Tag::group, id, std::views::iota(begin, end), range);
      pick_tickets(Tag::released, id, std::views::iota(begin, end), range);
    }
  }
  template <class Tickets>
  void pick_tickets(Tag tag, WorkspaceId id, const Tickets& tickets, const KeyRange& range) {
    const auto first = std::ranges::partition_point(
        tickets, [&](Ticket ticket) { return make_key(tag, id, ticket) < range.from; });
    for (auto at = first; at != tickets.end() && write_status_.ok(); ++at) {
      const std::string key = make_key(tag, id, *at);
      if (key >= range.to) {
        return;
      }
      pick_key(key, range);
    }
  }
  void pick_key(const std::string& key, const KeyRange& range) {
    if (key < range.from || key >= range.to) {
      return;
    }
    if (const auto value = get(key)) {
      put(key, *value);
    }
  }
  [[nodiscard]] std::optional<std::string> get(const std::string& key) const {
    std::string value;
    return from_.Get(how_, key, &value).ok() ? std::optional(std::move(value)) : std::nullopt;
  }

  void put(const rocksdb::Slice& key, const rocksdb::Slice& value) {
    write_status_ = batch_.Put(key, value);
    if (write_status_.ok() && batch_.GetDataSize() >= copied_at_once_bytes) {
      write_status_ = write(false);
    }
  }
  rocksdb::Status write(bool sync) {
    if (!write_status_.ok()) {
      return write_status_;
    }
    rocksdb::WriteOptions how;
    how.sync = sync;
    rocksdb::Status status = into_.Write(how, &batch_);
    batch_.Clear();
    return status;
  }

  rocksdb::DB& from_;
  rocksdb::DB& into_;
  const std::set<std::string, std::less<>>& workspaces_;
  rocksdb::ReadOptions how_;
  rocksdb::WriteBatch batch_;
  rocksdb::Status write_status_;
  std::optional<rocksdb::Status> unreadable_;  // why, where it was first
};

}  // namespace

rocksdb::Status copy_database(rocksdb::DB& from, rocksdb::DB& into,
                              const std::set<std::string, std::less<>>& workspaces) {
  return Copying(from, into, workspaces).run();
}

}  // namespace sluice::store

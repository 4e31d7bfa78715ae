// The store's folder: who may use it, and what is in it besides RocksDB.
//
//   LOCK            held by the process that has the store open
//   FORMAT          the format, and who wrote it
//   db/             RocksDB
//   reserve         room for when the disk is full
//   quarantine/     records that could not be read
//   TALLY           how far each workspace has come
//   OPENING         there while db/ is being opened, and after a process that died of that
//   db.draft/       a db/ that is being built anew
//   db.rebuilt/     one that is complete, and about to take the place of db/
//   corrupt-<time>/ a db/ that was built anew; with a name behind it: what was in a file's place
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <sluice/base/result.hpp>
#include <sluice/event/group.hpp>

namespace sluice::store {

// Renames what is not what it should be to corrupt-<time> beside it, with its name behind that
// unless it is the database. Its new path.
[[nodiscard]] Result<std::string> set_aside(const std::string& path);
// Sets a folder aside that stands where a file should be, and logs it.
void clear_the_way(const std::string& path);
[[nodiscard]] Result<void> sync_folder(const std::string& path);

class Folder {
 public:
  enum class Missing : std::uint8_t { create, fail };

  // Locks it, and checks its format before anything is touched.
  [[nodiscard]] static Result<Folder> open(const std::string& path, Missing missing);
  Folder(Folder&& other) noexcept;
  Folder& operator=(Folder&&) = delete;
  ~Folder();

  [[nodiscard]] std::string database_path() const { return path_ + "/db"; }
  [[nodiscard]] std::string reserve_path() const { return path_ + "/reserve"; }
  [[nodiscard]] std::string mark_path() const { return path_ + "/OPENING"; }
  [[nodiscard]] std::string tally_path() const { return path_ + "/TALLY"; }
  // As of the file FORMAT.
  [[nodiscard]] const std::string& format() const { return format_; }
  // The store has what no format before this one has: on disk when it returns without an error.
  [[nodiscard]] Result<void> raise_format(std::uint32_t format);
  // It may have been deleted or replaced while it was open: makes it again where it is missing, and
  // locks it.
  [[nodiscard]] Result<void> restore();
  // Keeps a record for people, up to a bound. One thread at a time.
  void quarantine(const std::string& workspace, Ticket ticket, std::string_view record);

 private:
  Folder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  [[nodiscard]] Result<void> check_format();
  [[nodiscard]] Result<void> write_format(std::uint32_t version);

  std::string path_;
  std::string format_;
  std::uint32_t format_version_ = 0;
  int lock_;
  std::uint64_t quarantined_bytes_ = 0;
};

}  // namespace sluice::store

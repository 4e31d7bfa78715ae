// The bytes of a file, a piece at a time, for what looks for records in it.
//
// What the device refuses to read is one thing: it is lost, if the rest is not. What this process
// may not do, or cannot for the moment, is another: then nothing may be given up.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sluice/base/result.hpp>

namespace sluice::store {

class RawBytes {
 public:
  virtual ~RawBytes() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  // Makes `out` the bytes from there on: fewer than `size` at the end, and where they cannot be
  // had.
  virtual void read(std::uint64_t at, std::size_t size, std::string& out) = 0;
};

class RawFile final : public RawBytes {
 public:
  // Is told how many bytes have been read since it was last told.
  using Progress = std::function<void(std::uint64_t bytes)>;

  // A file that cannot be opened is as good as empty: see failed() and unreadable_bytes().
  explicit RawFile(const std::string& path, Progress progress = nullptr);
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;
  ~RawFile() override;

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  // What the device refuses to read is zeros, a page at a time.
  void read(std::uint64_t at, std::size_t size, std::string& out) override;
  // Why it cannot be read, if that is not the device's doing: Errc::failed, and a message that says
  // what to do.
  [[nodiscard]] const std::optional<Error>& failed() const { return failed_; }
  // Of what was read; if it cannot even be opened, all.
  [[nodiscard]] std::uint64_t unreadable_bytes() const { return unreadable_bytes_; }
  // The device has refused something.
  [[nodiscard]] bool is_refused() const { return refused_; }

 private:
  void note(const char* doing, int error);
  void count_refused(std::uint64_t at, std::size_t bytes);

  const std::string path_;
  const Progress progress_;
  int file_;
  std::uint64_t size_ = 0;
  std::uint64_t unreadable_bytes_ = 0;
  bool refused_ = false;
  std::vector<bool> refused_pages_;  // counted, however often they are read
  std::optional<Error> failed_;
};

// The regular files of a folder, in no order.
[[nodiscard]] Result<std::vector<std::string>> regular_files(const std::string& folder);

// Whether all that is in a database's folder can be read: its files are opened, and logs, of which
// RocksDB skips what it cannot read, and then deletes them, are read to their end. Fails with
// Errc::unreadable where the device refuses, else with Errc::failed: then it must not be opened.
[[nodiscard]] Result<void> check_readable(const std::string& database);

}  // namespace sluice::store

// Goal: our records are found in the bytes of RocksDB's files whatever is wrong with the rest of
// them, and nothing is found that was not written.
#include "raw_records.hpp"

#include <filesystem>
#include <fstream>
#include <set>

#include <gmock/gmock.h>

#include "rocksdb_support.hpp"
#include "temporary_directory.hpp"

namespace sluice::store {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t raw_groups = 60;

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class InMemory final : public RawBytes {
 public:
  explicit InMemory(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  void read(std::uint64_t at, std::size_t size, std::string& out) override {
    largest_read = std::max(largest_read, size);
    out = bytes_.substr(std::min<std::uint64_t>(at, bytes_.size()), size);
  }

  std::size_t largest_read = 0;

 private:
  std::string_view bytes_;
};

// The bytes of the one file of that kind that has the raw_groups: the log; with `in_table`, a table
// of level 0; with `compressed`, one of level 1.
enum class Kind : std::uint8_t { log, table, compressed_table };
std::string make_file(Kind kind) {
  const test::TemporaryDirectory folder;
  const std::string path = folder / "db";
  {
    OnRocksDb running({.path = path});
    for (std::uint64_t number = 1; number <= raw_groups; ++number) {
      EXPECT_TRUE(running.append(numbered_group(number, running.clock, 3'000, true)));
    }
  }
  if (kind != Kind::log) {
    OnRocksDb again({.path = path});
    if (kind == Kind::compressed_table) {
      again.engine->reclaim(std::string(1, '\0'), "Z", true);
    }
  }
  fs::path largest;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.path().extension() == (kind == Kind::log ? ".log" : ".sst") &&
        (largest.empty() || entry.file_size() > fs::file_size(largest))) {
      largest = entry.path();
    }
  }
  return bytes_of(largest);
}

// The tickets of the raw_groups that are found; each is what was written.
std::set<Ticket> find(Kind kind, const std::string& bytes) {
  std::set<Ticket> found;
  const auto take = [&](const RawEntry& entry) {
    if (static_cast<Tag>(entry.key.front()) != Tag::group || entry.is_removal) {
      return;
    }
    const auto group = decode_group(entry.key, entry.value);
    ASSERT_TRUE(group);
    const Ticket ticket = ticket_of_key(entry.key);
    EXPECT_EQ(group->bytes(), numbered_group(ticket, FakeClock(), 3'000, true)->bytes());
    found.insert(ticket);
  };
  InMemory file(bytes);
  if (kind == Kind::log) {
    find_in_log(file, take);
  } else {
    find_in_table(file, take);
  }
  EXPECT_LE(file.largest_read, 4U << 20) << "it is read in pieces";
  return found;
}

class RawRecords : public testing::TestWithParam<Kind> {};

TEST_P(RawRecords, AreAllFoundInASoundFile) {
  const std::string bytes = make_file(GetParam());
  InMemory file(bytes);
  EXPECT_EQ(is_table(file), GetParam() != Kind::log);
  EXPECT_EQ(find(GetParam(), bytes).size(), raw_groups);
}

TEST_P(RawRecords, AFlippedBitCostsWhatItHits) {
  const std::string sound = make_file(GetParam());
  Rng rng(1);
  for (int run = 0; run < 60; ++run) {
    std::string bytes = sound;
    const std::uint64_t at = rng.below(bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
    const std::size_t found = find(GetParam(), bytes).size();
    // What is compressed is lost by the block, of 16 KiB.
    EXPECT_GE(found, raw_groups - (GetParam() == Kind::compressed_table ? 14 : 2)) << "byte " << at;
  }
}

TEST_P(RawRecords, ZerosCostWhatTheyHit) {
  const std::string sound = make_file(GetParam());
  Rng rng(2);
  for (int run = 0; run < 30; ++run) {
    std::string bytes = sound;
    const std::uint64_t at = rng.below(bytes.size());
    bytes.replace(at, std::min<std::size_t>(512, bytes.size() - at),
                  std::string(std::min<std::size_t>(512, bytes.size() - at), '\0'));
    EXPECT_GE(find(GetParam(), bytes).size(),
              raw_groups - (GetParam() == Kind::compressed_table ? 40 : 4))
        << "from " << at;
  }
}

TEST_P(RawRecords, WithoutTheEndTheBeginningIsFound) {
  const std::string sound = make_file(GetParam());
  std::string bytes = sound.substr(0, sound.size() * 3 / 4);
  EXPECT_GE(find(GetParam(), bytes).size(), raw_groups / 4);
}

INSTANTIATE_TEST_SUITE_P(All, RawRecords,
                         testing::Values(Kind::log, Kind::table, Kind::compressed_table));

TEST(RawRecordsInALog, ABlockThatIsThereTwiceCostsNothing) {
  const std::string sound = make_file(Kind::log);
  constexpr std::size_t block = 32U << 10;
  for (std::size_t at = 0; at + block <= sound.size(); at += block) {
    std::string bytes = sound;
    bytes.insert(at, sound.substr(at, block));
    EXPECT_EQ(find(Kind::log, bytes).size(), raw_groups) << at;
  }
}

TEST(RawRecordsInNonsense, AreNotFound) {
  Rng rng(3);
  std::string bytes(1U << 20, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(rng.below(256));
  }
  EXPECT_TRUE(find(Kind::log, bytes).empty());
  EXPECT_TRUE(find(Kind::table, bytes).empty());
  EXPECT_TRUE(find(Kind::log, "").empty());
  EXPECT_TRUE(find(Kind::table, "").empty());
}

}  // namespace
}  // namespace sluice::store

// How far each workspace has come, kept apart from the database: what a start has to find in it, or
// to count as lost.
//
// It is written after a commit and before its acknowledgements, without a sync of its own: it is
// exact for a process that ends in any way, and for a machine that dies it may lag behind what is
// on disk, but it never runs ahead of what was acknowledged. Where it and the database differ, the
// one that has seen more is right.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "codec.hpp"
#include "load.hpp"
#include "release_log.hpp"

namespace sluice::store {

struct TallyEntry {
  Position next;  // of the next group
  Position low;   // before it, all was released
  ReleaseLog::Ranges ranges;
  bool is_complete = true;  // there were no more ranges than these
};
using Tally = std::map<WorkspaceId, TallyEntry>;

// Of more ranges than so many, only the first are kept.
inline constexpr std::size_t tally_ranges_max = 1'000;

// An entry, as it is in use.
struct TallyPart {
  WorkspaceId id;
  const Position& next;
  const Position& low;
  const ReleaseLog::Ranges& ranges;
  bool is_complete = true;
};
void encode_tally(std::span<const TallyPart> parts, std::string& out);
// Nothing for what encode_tally() has not made.
[[nodiscard]] std::optional<Tally> decode_tally(std::string_view bytes);

// Raises what was loaded to what the tally says. What is missing in between is then found to be
// lost when it is read. Logs that, if it is so.
void raise(LoadedWorkspace& workspace, const Tally& tally);

// The file: two places that are written by turns, so that a torn write leaves the other one.
// Nothing that goes wrong with it stops anything: it is logged once.
class TallyFile {
 public:
  // Makes it where it is missing. What is in the way is set aside.
  static TallyFile open(const std::string& path);
  // Changes nothing; empty where there is none.
  static std::string read(const std::string& path);
  TallyFile(TallyFile&& other) noexcept;
  TallyFile& operator=(TallyFile&&) = delete;
  // On disk then, unless the device fails.
  ~TallyFile();

  // What was last kept, by an earlier process too; empty: nothing, or it cannot be read.
  [[nodiscard]] const std::string& found() const { return found_; }
  // One thread at a time.
  void keep(std::string_view bytes);

 private:
  TallyFile(std::string path, int file) : path_(std::move(path)), file_(file) {}
  void make_again_if_gone();
  void note_failure(int error);

  std::string path_;
  int file_;
  std::uint64_t sequence_ = 0;
  std::string found_;
  std::string slot_;  // keeps its memory
  std::uint64_t flushed_ms_ = 0;
  bool has_failed_ = false;
};

}  // namespace sluice::store

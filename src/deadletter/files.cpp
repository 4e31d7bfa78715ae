#include "files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "line_parser.hpp"

namespace sluice::deadletter {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "dead-letters-";
constexpr std::string_view suffix = ".jsonl";

std::optional<std::uint32_t> segment_number(std::string_view name) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix) ||
      name.size() <= prefix.size() + suffix.size()) {
    return std::nullopt;
  }
  name.remove_prefix(prefix.size());
  name.remove_suffix(suffix.size());
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool is_number = error == std::errc() && end == name.data() + name.size();
  return is_number ? std::optional(number) : std::nullopt;
}

}  // namespace

std::unexpected<Error> failed(const std::string& doing, const std::string& path, int error) {
  const std::error_code code(error, std::generic_category());
  return failure(code, "cannot " + doing + " " + path + ": " + code.message());
}

std::string segment_path(const std::string& folder, std::uint32_t number) {
  return fmt::format("{}/{}{:08}{}", folder, prefix, number, suffix);
}

Result<std::vector<SegmentFile>> list_segments(const std::string& folder) {
  std::vector<SegmentFile> segments;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (const auto number = segment_number(at->path().filename().string())) {
      segments.push_back({.number = *number, .path = at->path().string()});
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return failed("list", folder, error.value());
  }
  std::ranges::sort(segments, {}, &SegmentFile::number);
  return segments;
}

Result<SegmentText> read_segment(const std::string& path) {
  SegmentText text;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!file && errno == ENOENT) {
    text.padded.resize(LineParser::padding_bytes);
    return text;
  }
  if (!file || ::fstat(file.get(), &status) != 0) {
    return failed("open", path, errno);
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  text.padded.resize(size + LineParser::padding_bytes);
  while (text.size < size) {
    const ssize_t count = ::read(file.get(), text.padded.data() + text.size, size - text.size);
    if (count < 0 && errno != EINTR) {
      return failed("read", path, errno);
    }
    if (count == 0) {
      break;  // it was cut off meanwhile
    }
    text.size += count < 0 ? 0 : static_cast<std::size_t>(count);
  }
  return text;
}

LetterId first_id(const std::string& path) {
  constexpr std::string_view start = "{\"id\":\"";
  std::array<char, start.size() + 16> bytes{};
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::pread(file.get(), bytes.data(), bytes.size(), 0) != ssize_t{bytes.size()}) {
    return 0;
  }
  const std::string_view text(bytes.data(), bytes.size());
  return text.starts_with(start) ? parse_letter_id(text.substr(start.size())).value_or(0) : 0;
}

Result<void> write_all(int file, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t count = ::write(file, text.data(), text.size());
    if (count < 0 && errno != EINTR) {
      return failed("write to", path, errno);
    }
    text.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> sync_folder(const std::string& folder) {
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || ::fsync(opened.get()) != 0) {
    return failed("sync", folder, errno);
  }
  return {};
}

Result<void> replace_file(const std::string& path, std::string_view text) {
  const std::string draft = path + std::string(draft_suffix);
  const Descriptor file(
      ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR | S_IRGRP));
  if (!file) {
    return failed("create", draft, errno);
  }
  auto written = write_all(file.get(), text, draft);
  if (written && ::fsync(file.get()) != 0) {
    written = failed("sync", draft, errno);
  }
  if (written && std::rename(draft.c_str(), path.c_str()) != 0) {
    written = failed("rename", draft, errno);
  }
  if (!written) {
    ::unlink(draft.c_str());
  }
  return written;
}

}  // namespace sluice::deadletter

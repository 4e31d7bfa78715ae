#include <algorithm>
#include <limits>

#include <sluice/base/assert.hpp>
#include <sluice/deadletter/query.hpp>

#include "files.hpp"
#include "letter_line.hpp"
#include "selection.hpp"

namespace sluice::deadletter {
namespace {

bool fits(const LetterView& letter, const Filter& filter) {
  return (filter.workspace.empty() || filter.workspace == letter.workspace) &&
         (filter.reason.empty() || filter.reason == letter.reason) &&
         (!filter.since || letter.last_attempt_at >= *filter.since) &&
         (!filter.until || letter.last_attempt_at < *filter.until) &&
         (filter.contains.empty() || letter.event.find(filter.contains) != letter.event.npos);
}

// Whether the selection can have letters from `begin` up to, but not including, `end`.
bool may_fit(LetterId begin, LetterId end, const Selection& selection) {
  const auto* ids = std::get_if<std::set<LetterId>>(&selection);
  if (ids == nullptr) {
    return true;
  }
  const auto first = ids->lower_bound(begin);
  return first != ids->end() && *first < end;
}

bool is_within(LetterId id, const Query& query) {
  const bool is_behind = query.after == 0 ||
                         (query.order == Order::newest_first ? id < query.after : id > query.after);
  return is_behind && (!query.last || id <= *query.last);
}

// Collects one page.
class Reader {
 public:
  explicit Reader(const Query& query) : query_(query) {}

  // Whether the page has room for more.
  bool read(std::string_view text) {
    std::vector<std::string_view> lines;
    for_each_line(text, [&](std::string_view line) { lines.push_back(line); });
    if (query_.order == Order::newest_first) {
      std::ranges::reverse(lines);
    }
    for (const std::string_view line : lines) {
      if (!take(line)) {
        return false;
      }
    }
    scanned_bytes_ += text.size();
    if (scanned_bytes_ >= step_bytes_max && seen_ != 0) {
      page.next = seen_;
      return false;
    }
    return true;
  }

  Page page;

 private:
  bool take(std::string_view line) {
    const auto letter = parser_.parse(line);
    if (!letter || letter->id == 0) {
      ++page.unreadable_lines;
      return true;
    }
    if (deadletter::fits(*letter, query_)) {
      if (page.letters.size() >= query_.letters_max || page_bytes_ >= page_bytes_max) {
        page.next = page.letters.back().id;
        return false;
      }
      page.letters.push_back(copy_of(*letter));
      page_bytes_ += line.size();
    }
    if (is_within(letter->id, query_)) {
      seen_ = letter->id;
    }
    return true;
  }

  const Query& query_;
  LineParser parser_;
  std::size_t scanned_bytes_ = 0;
  std::size_t page_bytes_ = 0;
  LetterId seen_ = 0;
};

}  // namespace

bool fits(const LetterView& letter, const Query& query) {
  if (!is_within(letter.id, query)) {
    return false;
  }
  if (const auto* ids = std::get_if<std::set<LetterId>>(&query.selection)) {
    return ids->contains(letter.id);
  }
  return fits(letter, std::get<Filter>(query.selection));
}

Result<std::vector<SegmentFile>> find_segments(const std::string& folder, const Query& query) {
  const auto segments = list_segments(folder);
  if (!segments) {
    return std::unexpected(segments.error());
  }
  std::vector<SegmentFile> found;
  // The ids of a segment end where those of the next one begin.
  LetterId end = std::numeric_limits<LetterId>::max();
  for (auto segment = segments->rbegin(); segment != segments->rend(); ++segment) {
    const LetterId begin = first_id(segment->path);
    const bool is_behind =
        query.after == 0 ||
        (query.order == Order::newest_first ? begin < query.after : end > query.after);
    const bool is_before = !query.last || begin <= *query.last;
    if (is_behind && is_before && may_fit(begin, end, query.selection)) {
      found.push_back(*segment);
    }
    end = begin == 0 ? end : begin;
  }
  if (query.order == Order::oldest_first) {
    std::ranges::reverse(found);
  }
  return found;
}

Result<Page> read_letters(const std::string& folder, const Query& query) {
  SLUICE_ASSERT(query.letters_max > 0);
  const auto segments = find_segments(folder, query);
  if (!segments) {
    return std::unexpected(segments.error());
  }
  Reader reader(query);
  for (const SegmentFile& segment : *segments) {
    const auto text = read_segment(segment.path);
    if (!text) {
      return std::unexpected(text.error());
    }
    if (!reader.read(text->view())) {
      break;
    }
  }
  return std::move(reader.page);
}

}  // namespace sluice::deadletter

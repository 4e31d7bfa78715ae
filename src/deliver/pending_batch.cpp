#include <algorithm>
#include <iterator>
#include <utility>

#include <sluice/base/assert.hpp>
#include <sluice/batch/body.hpp>
#include <sluice/deliver/pending_batch.hpp>

namespace sluice::deliver {
namespace {

// Cuts before a character rather than within it: a continuation byte of UTF-8 is 10xxxxxx.
std::string_view cut_text(std::string_view text) {
  if (text.size() <= dead_letter_answer_bytes_max) {
    return text;
  }
  std::size_t size = dead_letter_answer_bytes_max;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) {
    --size;
  }
  return text.substr(0, size);
}

}  // namespace

void PendingBatch::cut_from(batch::LaneQueue& queue, const batch::Limits& limits) {
  clear_events();
  begin(queue.cut(limits, events_));
}

void PendingBatch::cut_probe_from(batch::LaneQueue& queue, std::size_t events_max, Rng& rng) {
  clear_events();
  begin(queue.cut_profile(events_max, rng, events_));
}

void PendingBatch::clear_events() {
  SLUICE_ASSERT(done() && suspects_.empty());
  std::swap(events_, previous_events_);
  events_.clear();
  shares_.clear();
}

void PendingBatch::begin(const batch::Cut& cut) {
  maybe_accepted_ = false;
  kind_ = cut.kind;
  pieces_.push_back(
      {.begin = 0, .end = static_cast<std::uint32_t>(events_.size()), .bytes = cut.bytes});
}

bool PendingBatch::add_from(batch::LaneQueue& queue, const batch::Limits& limits) {
  SLUICE_ASSERT(pieces_.size() == 1 && pieces_.back().attempts == 0);
  SLUICE_ASSERT(events_.size() < limits.events_max);
  Piece& whole = pieces_.back();
  const EventRecord& head = queue.head().record();
  if (head.kind != kind_ || whole.bytes + batch::element_bytes(head.size) > limits.bytes_max) {
    return false;
  }
  shares_.push_back({.queue = &queue, .begin = events_.size()});
  const batch::Limits room{
      .events_max = limits.events_max - events_.size(),
      .bytes_max = limits.bytes_max - whole.bytes + batch::array_overhead_bytes};
  const batch::Cut cut = queue.cut(room, events_);
  whole.end = static_cast<std::uint32_t>(events_.size());
  whole.bytes += cut.bytes - batch::array_overhead_bytes;
  return true;
}

bool PendingBatch::is_shared() const {
  return !shares_.empty() && dead_letters_.empty() && open_events() == events_.size();
}

bool PendingBatch::give_back() {
  SLUICE_ASSERT(is_shared());
  const std::size_t own = shares_.front().begin;
  const bool first_changes = pieces_.back().end > own;
  std::erase_if(pieces_, [own](const Piece& piece) { return piece.begin >= own; });
  for (Piece& piece : pieces_) {
    if (piece.end > own) {
      piece = part(piece, piece.begin, own, piece.guilt);
    }
  }
  for (; !shares_.empty(); shares_.pop_back()) {
    const Share& last = shares_.back();
    last.queue->put_back(std::span(events_).subspan(last.begin));
    events_.resize(last.begin);
  }
  return first_changes;
}

void PendingBatch::withdraw(batch::LaneQueue& own) {
  if (must_stay()) {
    confirm_suspects();
  }
  dead_letters_.erase(dead_letters_.end() - std::ssize(suspects_), dead_letters_.end());
  pieces_.insert(pieces_.end(), suspects_.begin(), suspects_.end());
  suspects_.clear();
  shares_.insert(shares_.begin(), {.queue = &own, .begin = 0});
  // The last ones first: each is put before those already there.
  std::ranges::sort(pieces_, std::ranges::greater{}, &Piece::begin);
  for (const Piece& piece : pieces_) {
    for (std::size_t end = piece.end; end > piece.begin;) {
      while (shares_.back().begin >= end) {
        shares_.pop_back();
      }
      const std::size_t begin = std::max<std::size_t>(piece.begin, shares_.back().begin);
      shares_.back().queue->put_back(std::span(events_).subspan(begin, end - begin));
      end = begin;
    }
  }
  pieces_.clear();
  shares_.clear();
}

std::size_t PendingBatch::open_events() const {
  std::size_t count = dead_letters_.size();
  for (const Piece& piece : pieces_) {
    count += piece.size();
  }
  return count;
}

void PendingBatch::prepare(const batch::Limits& limits) {
  SLUICE_ASSERT(has_work());
  while (pieces_.back().guilt == Guilt::certain && pieces_.back().size() > 1) {
    bisect();
  }
  fit_first(limits);
}

void PendingBatch::fit_first(const batch::Limits& limits) {
  const Piece& piece = pieces_.back();
  if (piece.size() <= limits.events_max && piece.bytes <= limits.bytes_max) {
    return;
  }
  std::size_t fitting = 1;
  std::size_t bytes =
      batch::array_overhead_bytes + batch::element_bytes(events_[piece.begin].record().size);
  for (; fitting < std::min(piece.size(), limits.events_max); ++fitting) {
    bytes += batch::element_bytes(events_[piece.begin + fitting].record().size);
    if (bytes > limits.bytes_max) {
      break;
    }
  }
  if (fitting < piece.size()) {
    split_first(fitting, Guilt::unknown);
  }
}

std::span<const EventRef> PendingBatch::events() const {
  SLUICE_ASSERT(has_work());
  const Piece& piece = pieces_.back();
  return std::span(events_).subspan(piece.begin, piece.size());
}

std::size_t PendingBatch::bytes() const {
  SLUICE_ASSERT(has_work());
  return pieces_.back().bytes;
}

void PendingBatch::count_attempt(WallTime at, bool ambiguous) {
  SLUICE_ASSERT(has_work());
  Piece& piece = pieces_.back();
  if (piece.attempts == 0) {
    piece.first_attempt_at = at;
  }
  piece.last_attempt_at = at;
  ++piece.attempts;
  maybe_accepted_ = maybe_accepted_ || ambiguous;
}

std::span<const EventRef> PendingBatch::accept() {
  const std::span<const EventRef> accepted = events();
  pieces_.pop_back();
  if (has_work() && pieces_.back().guilt == Guilt::if_previous_accepted) {
    pieces_.back().guilt = Guilt::certain;
  }
  confirm_suspects();
  return accepted;
}

void PendingBatch::accept_all_but(std::span<const std::size_t> positions, const Refusal& refusal,
                                  std::vector<std::span<const EventRef>>& accepted) {
  const std::span<const EventRef> all = events();
  SLUICE_ASSERT(positions.size() < all.size());
  const Piece piece = take_first();
  confirm_suspects();
  std::size_t begin = 0;
  for (const std::size_t position : positions) {
    if (begin < position) {
      accepted.push_back(all.subspan(begin, position - begin));
    }
    add_dead_letter(piece, piece.begin + position, refusal);
    begin = position + 1;
  }
  if (begin < all.size()) {
    accepted.push_back(all.subspan(begin));
  }
}

void PendingBatch::bisect() {
  maybe_accepted_ = false;
  const std::size_t size = events().size();
  SLUICE_ASSERT(size > 1);
  split_first(size / 2, Guilt::if_previous_accepted);
}

void PendingBatch::suspect(const Refusal& refusal) {
  maybe_accepted_ = false;
  const Piece piece = take_first();
  SLUICE_ASSERT(piece.size() == 1);
  add_dead_letter(piece, piece.begin, refusal);
  suspects_.push_back(piece);
}

void PendingBatch::dead_letters_stored() {
  SLUICE_ASSERT(!has_work());
  dead_letters_.clear();
  suspects_.clear();
}

PendingBatch::Piece PendingBatch::part(const Piece& whole, std::size_t begin, std::size_t end,
                                       Guilt guilt) const {
  Piece piece = whole;
  piece.begin = static_cast<std::uint32_t>(begin);
  piece.end = static_cast<std::uint32_t>(end);
  piece.bytes = batch::array_bytes(std::span(events_).subspan(begin, end - begin));
  piece.guilt = guilt;
  return piece;
}

// Takes the first piece without its having been accepted: what was to follow from that does not.
PendingBatch::Piece PendingBatch::take_first() {
  SLUICE_ASSERT(has_work());
  const Piece piece = pieces_.back();
  pieces_.pop_back();
  if (has_work() && pieces_.back().guilt == Guilt::if_previous_accepted) {
    pieces_.back().guilt = Guilt::unknown;
  }
  return piece;
}

void PendingBatch::split_first(std::size_t first_size, Guilt guilt_of_rest) {
  const Piece whole = take_first();
  const std::size_t middle = whole.begin + first_size;
  SLUICE_ASSERT(whole.begin < middle && middle < whole.end);
  pieces_.push_back(part(whole, middle, whole.end, guilt_of_rest));
  pieces_.push_back(part(whole, whole.begin, middle, Guilt::unknown));
}

void PendingBatch::add_dead_letter(const Piece& piece, std::size_t position,
                                   const Refusal& refusal) {
  dead_letters_.push_back({.event = events_[position],
                           .reason = refusal.reason,
                           .status = refusal.status,
                           .answer = std::string(cut_text(refusal.answer)),
                           .attempts = piece.attempts,
                           .first_attempt_at = piece.first_attempt_at,
                           .last_attempt_at = piece.last_attempt_at});
}

}  // namespace sluice::deliver

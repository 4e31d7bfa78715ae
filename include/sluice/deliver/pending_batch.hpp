// A lane's batch from when it is cut until the last of its events has ended: which part is sent
// next, and who is guilty when the upstream refuses it.
//
// The events keep their places; the work left is a list of pieces of them, in order. The first
// piece is sent; what the answer says decides what becomes of it:
// - accepted: it has ended. Every suspect found before it is now confirmed (see below).
// - refused, more than one event: it is split in halves, which are sent in order. If the first half
// is
//   then accepted, the guilty one is certainly in the second, and sending that as a whole would be
//   useless: it is halved at once. k guilty events in n cost at most about 2k*log2(n) requests.
// - refused, one event: a suspect. Only a request that carried the event alone makes it one.
//
// A suspect is not yet a dead letter, because a mistake in the configuration looks the same: every
// event refused. An acceptance after it in the same batch confirms it. If the workspace is parked
// first, because too many events in a row were refused, withdraw() puts the unconfirmed suspects
// back with all that is left, in their places. Nothing has been accepted after them (that would
// have confirmed them), so sending them later overtakes nothing. When no pieces are left, suspects
// and confirmed ones are the dead letters.
//
// A batch may be shared: events of other queues follow those of its own. As long as nothing is
// known of any of its events, they can be given back. What is put back into a queue begins anew:
// its attempts so far are forgotten.
//
// Not thread-safe. Refers to groups and owns none. Reuses its memory from batch to batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <sluice/base/rng.hpp>
#include <sluice/batch/lane_queue.hpp>
#include <sluice/batch/limits.hpp>
#include <sluice/deliver/dead_letter.hpp>
#include <sluice/event/group.hpp>

namespace sluice::deliver {

// Why one event was refused.
struct Refusal {
  DeadLetterReason reason;
  unsigned status;
  std::string_view answer;
};

class PendingBatch {
 public:
  // Cuts the next batch from the queue; the previous one is done(). Spans of its events stay valid
  // until the batch after this one is cut.
  void cut_from(batch::LaneQueue& queue, const batch::Limits& limits);
  // The same for a probe: the first events, at most so many, of a profile drawn by lot.
  void cut_probe_from(batch::LaneQueue& queue, std::size_t events_max, Rng& rng);
  // Right after that, with room for an event more: takes along what fits of another queue, which is
  // not empty and outlives the batch. False if its head does not fit, or is of another kind.
  [[nodiscard]] bool add_from(batch::LaneQueue& queue, const batch::Limits& limits);
  // Whether there are events of other queues in it, all of which can be given back: none of the
  // batch's events has been accepted or become a suspect.
  [[nodiscard]] bool is_shared() const;
  // Puts the events of other queues back at the front of them; nothing has been cut from those
  // meanwhile. Whether any of them were in the first piece: if not, that is still the same.
  [[nodiscard]] bool give_back();
  // Whether the first piece may have been accepted, with suspects before it: withdraw() would have
  // to confirm them, as they must not be sent again after it.
  [[nodiscard]] bool must_stay() const { return maybe_accepted_ && !suspects_.empty(); }
  // Puts all that has not ended, but confirmed dead letters, back at the front of its queues; `own`
  // is the one that the batch was cut from. Nothing has been cut from any of them meanwhile.
  void withdraw(batch::LaneQueue& own);

  [[nodiscard]] EventKind kind() const { return kind_; }
  [[nodiscard]] bool has_work() const { return !pieces_.empty(); }
  [[nodiscard]] bool done() const { return pieces_.empty() && dead_letters_.empty(); }
  // The events that have not ended.
  [[nodiscard]] std::size_t open_events() const;

  // Makes the first piece ready to be sent: no larger than the limits, unless it is a single event,
  // and not known to be refused. The same events each time, until something below changes the piece
  // (or the limits have shrunk).
  void prepare(const batch::Limits& limits);
  // The first piece.
  [[nodiscard]] std::span<const EventRef> events() const;
  [[nodiscard]] std::size_t bytes() const;
  // It was sent at this time, and there is an answer, or, if ambiguous, none that tells whether it
  // was accepted. Precedes one of the following, or none of them if it has to be sent again.
  void count_attempt(WallTime at, bool ambiguous = false);

  // The piece was accepted: its events.
  std::span<const EventRef> accept();
  // Part of the piece was accepted: all but these positions in it (ascending), which are dead
  // letters. Appends the runs of accepted events. There is at least one.
  void accept_all_but(std::span<const std::size_t> positions, const Refusal& refusal,
                      std::vector<std::span<const EventRef>>& accepted);
  // The piece, of more than one event, was refused.
  void bisect();
  // The piece, a single event, was refused.
  void suspect(const Refusal& refusal);

  // To be stored once there is no work left; valid until dead_letters_stored().
  [[nodiscard]] std::span<const DeadLetter> dead_letters() const { return dead_letters_; }
  void dead_letters_stored();

  // Calls `visit` with each event that has not ended.
  template <class Visit>
  void for_each_open(Visit visit) const {
    for (const Piece& piece : pieces_) {
      for (std::size_t i = piece.begin; i < piece.end; ++i) {
        visit(events_[i]);
      }
    }
    for (const DeadLetter& letter : dead_letters_) {
      visit(letter.event);
    }
  }

 private:
  enum class Guilt : std::uint8_t {
    unknown,
    if_previous_accepted,  // the second half of a refused piece
    certain,               // and the first half was accepted
  };
  struct Piece {
    std::uint32_t begin;
    std::uint32_t end;
    std::size_t bytes;  // of the JSON array
    Guilt guilt = Guilt::unknown;
    std::uint32_t attempts = 0;
    WallTime first_attempt_at{};
    WallTime last_attempt_at{};

    [[nodiscard]] std::size_t size() const { return end - begin; }
  };
  // Another queue's events: from here on to where the next share begins.
  struct Share {
    batch::LaneQueue* queue;
    std::size_t begin;
  };

  void clear_events();
  void begin(const batch::Cut& cut);
  [[nodiscard]] Piece part(const Piece& whole, std::size_t begin, std::size_t end,
                           Guilt guilt) const;
  Piece take_first();
  void split_first(std::size_t first_size, Guilt guilt_of_rest);
  void fit_first(const batch::Limits& limits);
  void add_dead_letter(const Piece& piece, std::size_t position, const Refusal& refusal);
  void confirm_suspects() {
    suspects_.clear();
    maybe_accepted_ = false;
  }

  EventKind kind_{};
  std::vector<EventRef> events_;
  std::vector<EventRef> previous_events_;  // of the batch before, to which spans may still refer
  std::vector<Share> shares_;
  std::vector<Piece> pieces_;             // in descending order: the first one is at the back
  std::vector<DeadLetter> dead_letters_;  // of which the last suspects_.size() are unconfirmed
  std::vector<Piece> suspects_;
  bool maybe_accepted_ = false;  // the first piece, or some of it
};

}  // namespace sluice::deliver

#include "read_back.hpp"

#include <algorithm>
#include <utility>

#include <sluice/base/calendar.hpp>

namespace sluice::store {
namespace {

// Of entries that cannot be read in order, so many are looked for one by one.
constexpr Ticket lookups_max = 1U << 16;

class Reading {
 public:
  Reading(Engine& engine, const ReadBackOptions& options) : engine_(engine), options_(options) {
    out_.reached = options.from;
  }

  ReadBack run() {
    Ticket begin = options_.from.ticket;
    while (!full_ && !out_.failed) {
      const auto outcome = read_from(begin);
      if (outcome) {
        if (!full_) {
          pass_to(options_.to);
        }
        break;
      }
      if (outcome.error().code != Errc::corrupt) {
        out_.failed = outcome.error();
        break;
      }
      begin = std::max(begin, last_seen_ + 1);
      if (begin < options_.to.ticket) {
        pick_from(begin);
      }
    }
    return std::move(out_);
  }

 private:
  Result<void> read_from(Ticket begin) {
    if (begin >= options_.to.ticket) {
      return {};
    }
    return engine_.read(make_key(Tag::group, options_.workspace, begin),
                        make_key(Tag::group, options_.workspace, options_.to.ticket),
                        [this](std::string_view key, std::string_view value) {
                          take(key, value);
                          return !full_;
                        });
  }

  // Up to where reading in order is possible again, looks for each group by itself.
  void pick_from(Ticket& begin) {
    const auto end =
        next_readable(engine_, Tag::group, options_.workspace, begin, options_.to.ticket);
    if (!end) {
      out_.failed = end.error();
      return;
    }
    for (; begin < *end && !full_; ++begin) {
      const std::string key = make_key(Tag::group, options_.workspace, begin);
      const auto value = engine_.get(key);
      if (value && *value) {
        take(key, **value);
      } else if (!value && value.error().code != Errc::corrupt) {
        out_.failed = value.error();
        return;
      }
    }
  }

  void take(std::string_view key, std::string_view value) {
    const Ticket ticket = ticket_of_key(key);
    last_seen_ = ticket;
    if (ticket < out_.reached.ticket || was_released(ticket)) {
      return;  // its removal got lost
    }
    const auto stored = decode_group(key, value);
    if (!stored) {
      options_.damaged(ticket, value);
      return;
    }
    pass_to({.ticket = ticket, .before = stored->head.before});
    out_.groups.push_back(make_group(*stored, ticket));
    out_.befores.push_back(stored->head.before);
    ++out_.reached.ticket;
    out_.reached.before += stored->head.own;
    bytes_ += out_.groups.back()->footprint_bytes();
    full_ = bytes_ >= options_.bytes_max;
  }

  Group::Owner make_group(const StoredGroup& stored, Ticket ticket) const {
    const auto age = age_at(options_.wall_now, stored.head.accepted_wall);
    Group::Parts content = stored.parts();
    content.accepted_at = options_.now - age;
    content.producer = producer_of(stored.head.own);
    Group::Owner group = Group::make(content);
    group->ticket = ticket;
    return group;
  }

  [[nodiscard]] std::vector<Share> whose(const Backlog& backlog) const {
    return options_.whose ? options_.whose(backlog.bytes) : std::vector<Share>();
  }
  [[nodiscard]] std::uint32_t producer_of(const Totals& group) const {
    const std::vector<Share> shares = whose(backlog_of(1, group));
    return shares.empty() ? 0 : shares.front().producer;
  }

  [[nodiscard]] bool was_released(Ticket ticket) const {
    const auto after = options_.released.upper_bound(ticket);
    return after != options_.released.begin() && std::prev(after)->second.end > ticket;
  }

  // Everything between `reached` and there was released, or is lost.
  void pass_to(const Position& there) {
    const Ticket begin = out_.reached.ticket;
    if (there.ticket <= begin) {
      return;
    }
    LostGroups lost{.begin = begin,
                    .end = there.ticket,
                    .groups = there.ticket - begin,
                    .totals = there.before.minus(out_.reached.before)};
    for (auto range = options_.released.lower_bound(begin);
         range != options_.released.end() && range->first < there.ticket; ++range) {
      lost.groups -= range->second.end - range->first;
      lost.totals = lost.totals.minus(range->second.totals);
    }
    if (lost.groups > 0) {
      lost.shares = whose(backlog_of(lost.groups, lost.totals));
      out_.lost.push_back(lost);
    }
    out_.reached = there;
  }

  Engine& engine_;
  const ReadBackOptions& options_;
  ReadBack out_;
  std::size_t bytes_ = 0;
  Ticket last_seen_ = 0;
  bool full_ = false;
};

// Whether the entry from `ticket` on can be read; also if there is none.
Result<bool> is_readable(Engine& engine, Tag tag, WorkspaceId workspace, Ticket ticket,
                         Ticket end) {
  const auto outcome = engine.read(make_key(tag, workspace, ticket), make_key(tag, workspace, end),
                                   [](std::string_view, std::string_view) { return false; });
  if (!outcome && outcome.error().code != Errc::corrupt) {
    return std::unexpected(outcome.error());
  }
  return outcome.has_value();
}

}  // namespace

ReadBack read_back(Engine& engine, const ReadBackOptions& options) {
  return Reading(engine, options).run();
}

void for_each_piece(const LostGroups& lost, const ReleaseLog::Ranges& released,
                    const std::function<void(const LostGroups& piece)>& take) {
  Totals totals = lost.totals;
  Ticket begin = lost.begin;
  const auto take_to = [&](Ticket end) {
    if (end > begin) {
      take(
          {.begin = begin, .end = end, .groups = end - begin, .totals = std::exchange(totals, {})});
    }
  };
  for (auto range = released.lower_bound(lost.begin);
       range != released.end() && range->first < lost.end; ++range) {
    take_to(range->first);
    begin = range->second.end;
  }
  take_to(lost.end);
}

Result<bool> read_past_damage(Engine& engine, Tag tag, WorkspaceId workspace, TicketRange range,
                              const Engine::Sink& sink) {
  Ticket begin = range.begin;
  bool damaged = false;
  while (begin < range.end) {
    const auto outcome =
        engine.read(make_key(tag, workspace, begin), make_key(tag, workspace, range.end),
                    [&](std::string_view key, std::string_view value) {
                      begin = ticket_of_key(key) + 1;
                      return sink(key, value);
                    });
    if (outcome) {
      break;
    }
    if (outcome.error().code != Errc::corrupt) {
      return std::unexpected(outcome.error());
    }
    damaged = true;
    const auto next = next_readable(engine, tag, workspace, begin, range.end);
    if (!next) {
      return std::unexpected(next.error());
    }
    // Looks for each entry by itself: the newest ones if there are too many and the end is known.
    const bool all = *next - begin <= lookups_max || *next == ticket_max;
    const Ticket first = all ? begin : *next - lookups_max;
    for (Ticket ticket = first; ticket < *next && ticket - first < lookups_max; ++ticket) {
      const std::string key = make_key(tag, workspace, ticket);
      if (const auto value = engine.get(key); value && *value) {
        sink(key, **value);
      }
    }
    begin = *next;
  }
  return damaged;
}

Result<Ticket> next_readable(Engine& engine, Tag tag, WorkspaceId workspace, Ticket begin,
                             Ticket end) {
  Ticket unreadable = begin;
  Ticket readable = end;
  const Ticket span = end - begin;
  for (Ticket step = 1; step<span; step = step> span / 2 ? span : step * 2) {
    const auto found = is_readable(engine, tag, workspace, begin + step, end);
    if (!found) {
      return std::unexpected(found.error());
    }
    if (*found) {
      readable = begin + step;
      break;
    }
    unreadable = begin + step;
  }
  while (readable - unreadable > 1) {
    const Ticket middle = unreadable + (readable - unreadable) / 2;
    const auto found = is_readable(engine, tag, workspace, middle, end);
    if (!found) {
      return std::unexpected(found.error());
    }
    (*found ? readable : unreadable) = middle;
  }
  return readable;
}

}  // namespace sluice::store

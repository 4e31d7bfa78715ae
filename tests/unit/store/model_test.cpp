// Goal: over thousands of random runs with failures and crashes, nothing that was acknowledged is
// lost, nothing comes out that was refused, order holds, and the counts are exact.
#include <array>
#include <map>
#include <set>

#include <sluice/base/log.hpp>

#include "store_support.hpp"

namespace sluice::store {
namespace {

constexpr std::size_t workspace_count = 2;

class Model {
 public:
  explicit Model(std::uint64_t seed)
      : rng_(seed),
        stepped_(workspace_count, {.path = {},
                                   .tail_bytes_max = 400 + rng_.below(5'000),
                                   .read_ahead_bytes = 200 + rng_.below(3'000),
                                   .commit_bytes_max = 100 + rng_.below(3'000),
                                   .reclaim_bytes = 1 + rng_.below(500)}) {}

  void run() {
    for (int step = 0; step < 120 && !testing::Test::HasFatalFailure(); ++step) {
      take_a_step();
    }
    mend();
    crash();
    for (std::size_t w = 0; w < workspace_count; ++w) {
      take(w, stepped_.read_all(w));
      EXPECT_TRUE(spaces_[w].expected.empty() || spaces_[w].last_read == spaces_[w].last_ticket());
    }
  }

 private:
  enum class State : std::uint8_t { acknowledged, in_memory, pending, refused };
  struct Entry {
    std::uint64_t number;
    Stepped::Outcome* outcome;
  };
  struct Space {
    std::vector<std::pair<std::uint64_t, std::shared_ptr<Stepped::Outcome>>> appended;  // in order
    std::map<std::uint64_t, State> settled;                                             // by number
    std::map<Ticket, std::uint64_t> expected;  // read once before, and not released
    std::vector<Group::Owner> held;            // by the consumer
    std::uint64_t last_number = 0;             // read since the start
    Ticket last_read = 0;
    std::set<std::uint64_t> released;  // perhaps not on disk
    std::set<std::uint64_t> seen;      // since the start
    [[nodiscard]] Ticket last_ticket() const { return expected.rbegin()->first; }
  };

  // Some have nothing that the deduplication window keeps.
  [[nodiscard]] Group::Owner make(std::uint64_t number) const {
    return numbered_group(number, stepped_.clock, 0, number % 3 == 0);
  }

  void take_a_step() {
    const std::size_t w = rng_.below(workspace_count);
    switch (rng_.below(12)) {
      case 0:
      case 1:
      case 2:
        append(w);
        break;
      case 3:
      case 4:
        stepped_.commit();
        break;
      case 5:
        static_cast<void>(stepped_.store->read_step());
        break;
      case 6:
      case 7:
        take(w, stepped_.read(w, rng_.below(2'000)));
        break;
      case 8:
      case 9:
        release(w);
        break;
      case 10:
        stepped_.clock.advance(std::chrono::milliseconds(rng_.below(1'500)));
        break;
      default:
        disturb();
    }
  }

  void append(std::size_t w) {
    const std::uint64_t number = ++last_number_;
    const auto level = rng_.below(5) == 0 ? buffer::AckLevel::memory : buffer::AckLevel::disk;
    auto outcome = stepped_.append(make(number), w, level);
    if (level == buffer::AckLevel::memory) {
      spaces_[w].settled[number] = State::in_memory;
      EXPECT_TRUE(outcome->kept.value());
    } else {
      spaces_[w].appended.emplace_back(number, std::move(outcome));
    }
  }

  void settle() {
    for (Space& space : spaces_) {
      for (const auto& [number, outcome] : space.appended) {
        const State state = !outcome->kept   ? State::pending
                            : *outcome->kept ? State::acknowledged
                                             : State::refused;
        space.settled[number] = state;
      }
    }
  }

  // Numbers rise with the order of appends, so that order shows in them.
  void take(std::size_t w, std::vector<Group::Owner> groups) {
    settle();
    Space& space = spaces_[w];
    for (Group::Owner& group : groups) {
      const std::uint64_t number = number_of(*group);
      ASSERT_GT(number, space.last_number) << "order";
      ASSERT_GT(group->ticket, space.last_read);
      ASSERT_TRUE(space.seen.insert(number).second) << "twice";
      ASSERT_TRUE(space.settled.contains(number)) << "gone before, and there again: " << number;
      ASSERT_TRUE(space.settled.at(number) != State::refused || crashed_in_trouble_)
          << "refused, and there after all: " << number;
      ASSERT_TRUE(same_content(*group, *make(number)) ||
                  group->accepted_wall() != stepped_.clock.wall_now());
      space.last_number = number;
      space.last_read = group->ticket;
      space.expected[group->ticket] = number;
      space.held.push_back(std::move(group));
    }
  }

  void release(std::size_t w) {
    Space& space = spaces_[w];
    if (space.held.empty()) {
      return;
    }
    const std::size_t index = rng_.below(std::min<std::size_t>(space.held.size(), 4));
    space.released.insert(number_of(*space.held[index]));
    stepped_.store->buffer(w).release(std::move(space.held[index]));
    space.held.erase(space.held.begin() + static_cast<std::ptrdiff_t>(index));
  }

  void disturb() {
    switch (rng_.below(6)) {
      case 0:
        stepped_.disk.write_fails = Errc::disk_full;
        break;
      case 1:
        stepped_.disk.sync_fails = Errc::failed;
        break;
      case 2:
        stepped_.disk.read_fails = Errc::failed;
        break;
      case 3:
        stepped_.disk.room = false;
        break;
      case 4:
        mend();
        break;
      default:
        mend();
        crash();
    }
  }

  void mend() {
    stepped_.disk.write_fails.reset();
    stepped_.disk.sync_fails.reset();
    stepped_.disk.read_fails.reset();
    stepped_.disk.room = true;
  }

  // Everything that was acknowledged comes again, unless it was released; what was read and not
  // released comes again too.
  void crash() {
    settle();
    // A sync that failed may have worked: only a recovery makes sure that it did not.
    crashed_in_trouble_ = !stepped_.store->buffer(0).trouble().empty();
    for (Space& space : spaces_) {
      space.held.clear();
    }
    if (rng_.below(4) == 0) {
      stepped_.restart();
      settle();
    } else {
      stepped_.crash([this] { return rng_.below(2) == 0; });
    }
    for (std::size_t w = 0; w < workspace_count; ++w) {
      check_recovered(w);
    }
    crashed_in_trouble_ = false;
  }

  void check_recovered(std::size_t w) {
    Space& space = spaces_[w];
    space.seen.clear();
    space.last_number = 0;
    space.last_read = 0;
    space.expected.clear();
    Backlog found;
    take(w, stepped_.read_all(w));
    for (const auto& group : space.held) {
      found.events += group->records().size();
      found.bytes += group->footprint_bytes();
    }
    EXPECT_EQ(stepped_.store->recovered(w), found);
    EXPECT_EQ(stepped_.lost[w], Backlog{});
    const MonoTime now = stepped_.clock.mono_now();
    for (const auto& [number, state] : space.settled) {
      const bool must_be_there = state == State::acknowledged && !space.released.contains(number);
      ASSERT_TRUE(!must_be_there || space.seen.contains(number)) << "lost: " << number;
      if (state == State::acknowledged) {
        const Group::Owner group = make(number);
        for (const DedupKey key : group->dedup_keys()) {
          ASSERT_EQ(stepped_.reserve(key, now, w), buffer::DedupWindow::Entry::duplicate);
        }
        if (group->answer()) {
          ASSERT_EQ(stepped_.answer_to(group->answer()->request, now, w), group->answer());
        }
      }
    }
    // What was not acknowledged may be there or not, and is now one or the other for good.
    for (auto at = space.settled.begin(); at != space.settled.end();) {
      if (space.seen.contains(at->first)) {
        at->second = State::acknowledged;
        space.released.erase(at->first);
        ++at;
      } else {
        if (at->second == State::refused) {
          check_unknown(w, at->first);
        }
        at = space.settled.erase(at);
      }
    }
    space.appended.clear();
  }

  // What was refused must be taken when it comes again.
  void check_unknown(std::size_t w, std::uint64_t number) {
    const Group::Owner group = make(number);
    for (const DedupKey key : group->dedup_keys()) {
      ASSERT_EQ(stepped_.reserve(key, stepped_.clock.mono_now(), w),
                buffer::DedupWindow::Entry::reserved)
          << number;
      stepped_.windows[w]->give_up(std::span(&key, 1), std::nullopt);
    }
  }

  Rng rng_;
  Stepped stepped_;
  std::array<Space, workspace_count> spaces_;
  std::uint64_t last_number_ = 0;
  bool crashed_in_trouble_ = false;
};

TEST(Model, NothingAcknowledgedIsLostAndTheCountsAreExact) {
  log::configure(log::Level::off, log::Format::human);
  const std::uint64_t runs = run_count(3'000);
  for (std::uint64_t seed = 1; seed <= runs && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Model(seed).run();
  }
  log::configure(log::Level::info, log::Format::human);
}

}  // namespace
}  // namespace sluice::store

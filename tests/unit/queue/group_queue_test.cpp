// Goal: groups come out in the order in which they were accepted, whichever threads accepted them;
// none is lost; and a consumer that sleeps is woken.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include <sluice/queue/group_queue.hpp>

namespace sluice::queue {
namespace {

// A group of one event that carries a number.
Group::Owner group(std::uint64_t number) {
  const EventRecord record{
      .offset = 0, .size = 2, .profile_hash = number, .kind = EventKind::event};
  return Group::make({.records = std::span(&record, 1),
                      .bytes = "{}",
                      .dedup_keys = {},
                      .answer = {},
                      .accepted_at = {},
                      .accepted_wall = {}});
}
std::uint64_t number_of(const Group::Owner& given) { return given->records().front().profile_hash; }

TEST(GroupQueue, GivesOutInTicketOrder) {
  GroupQueue queue(2, [] {});
  queue.push(0, group(1));
  queue.push(1, group(2));
  queue.push(0, group(3));
  std::vector<Group::Owner> out;
  queue.drain(out);
  ASSERT_EQ(out.size(), 3);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(number_of(out[i]), i + 1);
    EXPECT_EQ(out[i]->ticket, i + 1);
  }
}

TEST(GroupQueue, FreesWhatIsLeft) {
  GroupQueue queue(1, [] {});
  queue.push(0, group(1));  // the leak checker would tell
}

TEST(GroupQueue, WakesASleepingConsumerOnce) {
  int wakes = 0;
  GroupQueue queue(1, [&] { ++wakes; });
  queue.push(0, group(1));
  EXPECT_EQ(wakes, 0) << "the consumer is awake";
  EXPECT_FALSE(queue.try_sleep()) << "there is something to drain";
  std::vector<Group::Owner> out;
  queue.drain(out);
  ASSERT_TRUE(queue.try_sleep());
  queue.push(0, group(2));
  queue.push(0, group(3));
  EXPECT_EQ(wakes, 1);
}

// Producers hand a token around: whoever has it pushes the next number. Each push therefore ends
// before the next one begins, on another thread; the consumer must see the numbers in that order.
TEST(GroupQueue, APushThatEndedBeforeAnotherBeganComesFirst) {
  constexpr std::size_t producers = 4;
  constexpr std::uint64_t total = 20'000;
  GroupQueue queue(producers, [] {});
  std::atomic<std::uint64_t> next{1};
  std::vector<std::thread> threads;
  for (std::size_t p = 0; p < producers; ++p) {
    threads.emplace_back([&, p] {
      while (true) {
        const std::uint64_t number = next.load(std::memory_order_acquire);
        if (number > total) {
          return;
        }
        if (number % producers == p) {
          queue.push(p, group(number));
          next.store(number + 1, std::memory_order_release);
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  std::vector<Group::Owner> out;
  std::uint64_t seen = 0;
  while (seen < total) {
    out.clear();
    queue.drain(out);
    for (const Group::Owner& given : out) {
      ASSERT_EQ(number_of(given), ++seen);
    }
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

TEST(GroupQueue, LosesNothingAndWakesUnderContention) {
  constexpr std::size_t producers = 3;
  constexpr std::uint64_t each = 20'000;
  std::mutex mutex;
  std::condition_variable woken;
  bool awake = true;
  GroupQueue queue(producers, [&] {
    const std::lock_guard lock(mutex);
    awake = true;
    woken.notify_one();
  });
  std::vector<std::thread> threads;
  for (std::size_t p = 0; p < producers; ++p) {
    threads.emplace_back([&, p] {
      for (std::uint64_t i = 0; i < each; ++i) {
        queue.push(p, group(p * each + i));
      }
    });
  }
  std::vector<std::uint64_t> last(producers, 0);
  std::vector<Group::Owner> out;
  std::uint64_t seen = 0;
  while (seen < producers * each) {
    out.clear();
    queue.drain(out);
    for (const Group::Owner& given : out) {
      const std::size_t producer = number_of(given) / each;
      ASSERT_EQ(number_of(given) % each, last[producer]++);
      ++seen;
    }
    if (out.empty()) {
      std::unique_lock lock(mutex);
      awake = false;
      lock.unlock();
      if (queue.try_sleep()) {
        lock.lock();
        ASSERT_TRUE(woken.wait_for(lock, std::chrono::seconds(60), [&] { return awake; }))
            << "never woken";
      }
    }
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace
}  // namespace sluice::queue

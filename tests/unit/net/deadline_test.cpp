// Goal: what is awaited ends by its deadline, is never cut after its end, and its result is what it
// came to, whichever of the two is first.
#include <array>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <sluice/net/bell.hpp>
#include <sluice/net/deadline.hpp>
#include <sluice/net/gate.hpp>

namespace sluice::net {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;
using Local = asio::local::stream_protocol;
using Read = std::tuple<error_code, std::size_t>;
constexpr MonoTime no_deadline = MonoTime::max();
constexpr MonoTime long_ago{1s};

class DeadlineTest : public testing::Test {
 protected:
  DeadlineTest() { asio::local::connect_pair(near_, far_); }

  Task<Read> read() { return near_.async_read_some(asio::buffer(bytes_), as_result); }
  Task<int> read_twice() {
    static_cast<void>(co_await read());
    static_cast<void>(co_await read());
    co_return 2;
  }
  void send() { asio::write(far_, asio::buffer("x", 1)); }

  Task<> read_by(MonoTime at) {
    read_ = co_await with_deadline(deadline_, at, read(), [this] { cut(); });
  }
  void cut() {
    ++cuts_;
    closing(near_)();
  }
  void start(Task<> work) { spawn(context_.get_executor(), gate_, std::move(work)); }
  void run() {
    context_.restart();
    context_.run();
  }

  asio::io_context context_;
  Gate gate_{"test"};
  Local::socket near_{context_};
  Local::socket far_{context_};
  std::array<char, 8> bytes_{};
  Deadline deadline_{context_.get_executor()};
  std::optional<Timely<Read>> read_;
  int cuts_ = 0;
};

TEST_F(DeadlineTest, WhatEndsInTimeIsNotCut) {
  send();
  start(read_by(std::chrono::steady_clock::now() + 1h));
  run();
  ASSERT_TRUE(read_);
  EXPECT_FALSE(read_->expired);
  EXPECT_EQ(read_->value, Read(error_code(), 1U));
  EXPECT_EQ(cuts_, 0);
  EXPECT_TRUE(near_.is_open());
}

TEST_F(DeadlineTest, WhatDoesNotIsCutOnce) {
  start(read_by(long_ago));
  run();
  ASSERT_TRUE(read_);
  EXPECT_TRUE(read_->expired);
  EXPECT_EQ(std::get<0>(read_->value), asio::error::operation_aborted);
  EXPECT_EQ(cuts_, 1);
}

TEST_F(DeadlineTest, WithoutADeadlineItWaits) {
  start(read_by(no_deadline));
  context_.poll();
  EXPECT_FALSE(read_);
  send();
  run();
  ASSERT_TRUE(read_);
  EXPECT_FALSE(read_->expired);
}

// Several operations: the second one begins after the cut, and must not wait for ever.
TEST_F(DeadlineTest, WhatIsBegunAfterTheCutEndsAtOnce) {
  std::optional<Timely<int>> ended;
  const auto await = [&]() -> Task<> {
    ended = co_await with_deadline(deadline_, long_ago, read_twice(), [this] { cut(); });
  };
  start(await());
  run();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->value, 2);
  EXPECT_TRUE(ended->expired);
  EXPECT_EQ(cuts_, 1);
}

// Two timers that are due fire in the order of their times, one right after the other.
TEST_F(DeadlineTest, ADeadlineRightAfterTheEndCutsNothing) {
  asio::steady_timer first(context_, long_ago);
  const auto wait = [](asio::steady_timer& timer) -> Task<int> {
    co_await timer.async_wait(as_result);
    co_return 7;
  };
  std::optional<Timely<int>> ended;
  const auto await = [&]() -> Task<> {
    ended = co_await with_deadline(deadline_, long_ago + 1ms, wait(first), [this] { cut(); });
    // What was due for that is not due for this, which has another deadline.
    co_await read_by(no_deadline);
  };
  start(await());
  context_.poll();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->value, 7);
  EXPECT_FALSE(ended->expired);
  EXPECT_EQ(cuts_, 0);
  EXPECT_FALSE(read_);
  send();
  run();
  EXPECT_EQ(cuts_, 0);
  ASSERT_TRUE(read_);
  EXPECT_FALSE(read_->expired);
}

TEST_F(DeadlineTest, AnEndRightAfterTheDeadlineKeepsItsValue) {
  asio::steady_timer second(context_, long_ago + 1ms);
  const auto wait = [](asio::steady_timer& timer) -> Task<error_code> {
    const auto [error] = co_await timer.async_wait(as_result);
    co_return error;
  };
  std::optional<Timely<error_code>> ended;
  const auto await = [&]() -> Task<> {
    ended = co_await with_deadline(deadline_, long_ago, wait(second), [&] {
      ++cuts_;
      second.cancel();
    });
  };
  start(await());
  run();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->value, error_code()) << "it had come to its end, and was only told later";
  EXPECT_TRUE(ended->expired);
  EXPECT_EQ(cuts_, 1);
}

TEST_F(DeadlineTest, WhoEndsItFromOutsideIsNotTakenForTheDeadline) {
  start(read_by(std::chrono::steady_clock::now() + 1h));
  context_.poll();
  near_.cancel();
  run();
  ASSERT_TRUE(read_);
  EXPECT_EQ(std::get<0>(read_->value), asio::error::operation_aborted);
  EXPECT_FALSE(read_->expired);
  EXPECT_EQ(cuts_, 0);
}

TEST_F(DeadlineTest, OneServesAgainAfterItHasExpired) {
  start(read_by(long_ago));
  run();
  near_ = Local::socket(context_);
  far_ = Local::socket(context_);
  asio::local::connect_pair(near_, far_);
  send();
  start(read_by(std::chrono::steady_clock::now() + 1h));
  run();
  EXPECT_FALSE(read_->expired);
  EXPECT_EQ(read_->value, Read(error_code(), 1U));
  EXPECT_EQ(cuts_, 1);
}

TEST_F(DeadlineTest, AnExceptionIsThrownOnAndLeavesNothingToCut) {
  const auto fail = []() -> Task<int> {
    throw std::runtime_error("broken on purpose");
    co_return 0;
  };
  bool thrown = false;
  const auto await = [&]() -> Task<> {
    try {
      static_cast<void>(co_await with_deadline(deadline_, long_ago, fail(), [this] { cut(); }));
    } catch (const std::runtime_error&) {
      thrown = true;
    }
  };
  start(await());
  run();
  EXPECT_TRUE(thrown);
  EXPECT_EQ(cuts_, 0);
}

TEST(Deadline, AContextThatIsGoneCutsNothing) {
  Gate gate("test");
  Bell bell;
  int cuts = 0;
  const auto wait = [](Bell& news) -> Task<int> {
    co_await news.wait_until(no_deadline);
    co_return 0;
  };
  const auto await = [&](asio::any_io_executor executor) -> Task<> {
    Deadline deadline(executor);
    static_cast<void>(co_await with_deadline(deadline, std::chrono::steady_clock::now() + 1h,
                                             wait(bell), [&cuts] { ++cuts; }));
  };
  {
    asio::io_context context;
    spawn(context.get_executor(), gate, await(context.get_executor()));
    context.poll();
    EXPECT_EQ(gate.count(), 1U);
  }
  EXPECT_TRUE(gate.empty());
  EXPECT_EQ(cuts, 0);
}

}  // namespace
}  // namespace sluice::net

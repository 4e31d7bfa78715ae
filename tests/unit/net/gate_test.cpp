// Goal: every coroutine is counted from its start to the end of its frame, whichever way it ends.
#include <chrono>
#include <optional>
#include <stdexcept>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <sluice/base/log.hpp>
#include <sluice/net/bell.hpp>
#include <sluice/net/gate.hpp>

namespace sluice::net {
namespace {

using std::chrono::steady_clock;
constexpr MonoTime never = MonoTime::max();

Task<> count(int& runs) {
  ++runs;
  co_return;
}
Task<> fail() {
  throw std::runtime_error("broken on purpose");
  co_return;
}
Task<> wait_for(Bell& bell, int& woken) {
  co_await bell.wait_until(never);
  ++woken;
}
Task<> wait_for_gate(Gate& gate, MonoTime deadline, std::optional<bool>& empty) {
  empty = co_await gate.empty_by(deadline);
}

TEST(Gate, CountsFromSpawnUntilTheFrameIsGone) {
  asio::io_context context;
  Gate gate("test");
  int runs = 0;
  spawn(context.get_executor(), gate, count(runs));
  EXPECT_EQ(gate.count(), 1U);
  EXPECT_EQ(runs, 0) << "it never starts within the call";
  context.run();
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(gate.empty());
}

TEST(Gate, LogsAnEscapedExceptionAndIsEmptyAfterIt) {
  asio::io_context context;
  Gate gate("the gate's name");
  testing::internal::CaptureStderr();
  spawn(context.get_executor(), gate, fail());
  context.run();
  log::flush();
  const std::string logged = testing::internal::GetCapturedStderr();
  EXPECT_NE(logged.find("broken on purpose"), std::string::npos) << logged;
  EXPECT_NE(logged.find("the gate's name"), std::string::npos) << logged;
  EXPECT_TRUE(gate.empty());
}

TEST(Gate, IsEmptyWhenTheContextDropsACoroutine) {
  Gate gate("test");
  Bell bell;
  int woken = 0;
  {
    asio::io_context context;
    spawn(context.get_executor(), gate, wait_for(bell, woken));
    context.poll();
    spawn(context.get_executor(), gate, count(woken));
    EXPECT_EQ(gate.count(), 2U);
  }
  EXPECT_TRUE(gate.empty());
  EXPECT_EQ(woken, 0);
}

TEST(Gate, EmptyByEndsWhenTheLastOneLeaves) {
  asio::io_context context;
  Gate gate("test");
  Gate waiters("waiters");
  Bell bell;
  int woken = 0;
  std::optional<bool> empty;
  spawn(context.get_executor(), gate, wait_for(bell, woken));
  spawn(context.get_executor(), gate, wait_for(bell, woken));
  spawn(context.get_executor(), waiters, wait_for_gate(gate, never, empty));
  context.poll();
  EXPECT_FALSE(empty.has_value());
  bell.ring();
  context.run();
  EXPECT_EQ(woken, 2);
  EXPECT_EQ(empty, true);
}

TEST(Gate, EmptyBySaysAtTheDeadlineThatSomeAreLeft) {
  asio::io_context context;
  Gate gate("test");
  Gate waiters("waiters");
  const Gate::Pass pass = gate.enter();
  std::optional<bool> empty;
  spawn(context.get_executor(), waiters, wait_for_gate(gate, steady_clock::now(), empty));
  context.run();
  EXPECT_EQ(empty, false);
}

TEST(GateDeathTest, MayNotGoBeforeItsCoroutines) {
  EXPECT_DEATH(
      {
        auto gate = std::make_optional<Gate>("test");
        const Gate::Pass pass = gate->enter();
        gate.reset();
      },
      "assertion failed");
}

TEST(Bell, WakesAllThatWaitNowAndNobodyLater) {
  asio::io_context context;
  Gate gate("test");
  Bell bell;
  int woken = 0;
  spawn(context.get_executor(), gate, wait_for(bell, woken));
  context.poll();
  bell.ring();
  context.poll();
  EXPECT_EQ(woken, 1);
  spawn(context.get_executor(), gate, wait_for(bell, woken));
  context.restart();
  context.poll();
  EXPECT_EQ(woken, 1) << "a past ring is not remembered";
  bell.ring();
  context.run();
  EXPECT_EQ(woken, 2);
}

}  // namespace
}  // namespace sluice::net

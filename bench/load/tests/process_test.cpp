// Goal: CPU time and memory are read from /proc as proc(5) lays them out.
#include "process.hpp"

#include <limits>

#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::load {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";

TEST(Process, ReadsTimesBehindANameThatLooksLikeFields) {
  constexpr std::string_view stat =
      "42 (a) b) (c) S 1 42 42 0 -1 4194560 10 20 30 40 250 50 7 8 20 0 3 0 100 0 0";
  const auto use = parse_process_use(stat, status, 100);
  ASSERT_TRUE(use);
  EXPECT_EQ(use->cpu, 3s);
  EXPECT_EQ(use->resident_bytes, 1U << 20);
  EXPECT_EQ(use->resident_bytes_max, 2U << 20);
}

TEST(Process, WhatIsCutShortIsNone) {
  EXPECT_FALSE(parse_process_use("", status, 100));
  EXPECT_FALSE(parse_process_use("42 (x) S 1 42 42 0 -1 4194560 10 20 30 40 250", status, 100));
  EXPECT_FALSE(parse_process_use("42 (x) S 1 42 42 0 -1 0 1 2 3 4 250 50 7", "Name:\tx\n", 100));
}

TEST(Process, ReadsThisOneAndNoneThatIsNot) {
  const auto self = read_process_use(getpid());
  ASSERT_TRUE(self);
  EXPECT_GT(self->resident_bytes, 0U);
  EXPECT_GE(self->resident_bytes_max, self->resident_bytes);
  EXPECT_FALSE(read_process_use(std::numeric_limits<pid_t>::max()));
}

}  // namespace
}  // namespace sluice::load

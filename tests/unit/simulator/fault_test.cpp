// Goal: faults are read as written, fire when and as often as they say, and repeat from the same
// seed.
#include "fault.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::simulator {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr std::string_view batch = "/v4/events/batch";
constexpr MonoTime start{};

class Faults : public ::testing::Test {
 protected:
  void set(std::string_view text) { set_.replace(parse_faults(text).value()); }
  FaultPlan plan(std::string_view path = batch, MonoTime now = start) {
    return set_.plan(path, now);
  }
  // One letter per request: the first of the decisive action's name, or a dot.
  std::string sequence(int requests) {
    std::string letters;
    for (int i = 0; i < requests; ++i) {
      const FaultPlan made = plan();
      letters += made.decisive ? name_of(made.decisive->action).front() : '.';
    }
    return letters;
  }

  FaultSet set_{1};
};

TEST(ParseFaults, json_and_compact_form_say_the_same) {
  for (const std::string_view text :
       {R"([{"action":"status","status":503,"probability":0.2,"retry_after":2}])",
        R"({"status":503,"probability":0.2,"retry_after":2})",
        "status=503,probability=0.2,retry_after=2",
        "action=status,status=503,probability=0.2,retry_after=2"}) {
    const auto faults = parse_faults(text);
    ASSERT_TRUE(faults) << text;
    ASSERT_EQ(faults->size(), 1U);
    EXPECT_EQ(faults->front().action, FaultAction::status);
    EXPECT_EQ(faults->front().status, 503U);
    EXPECT_EQ(faults->front().probability, 0.2);
    EXPECT_EQ(faults->front().retry_after, "2");
  }
}

TEST(ParseFaults, actions) {
  struct Case {
    std::string_view text;
    FaultAction action;
  };
  constexpr Case cases[] = {
      {"status=500", FaultAction::status},
      {"latency_ms=5", FaultAction::latency},
      {"latency_mean_ms=5", FaultAction::latency},
      {"latency_min_ms=1,latency_max_ms=5", FaultAction::latency},
      {"reset_before", FaultAction::reset_before},
      {"reset_after,count=3", FaultAction::reset_after},
      {"hang_ms=50", FaultAction::hang},
      {"slow_ms=50", FaultAction::slow_body},
      {"cut_body", FaultAction::cut_body},
      {"malformed", FaultAction::malformed},
      {"deprecated", FaultAction::deprecated},
      {"pointer=/label,equals=x", FaultAction::poison},
      {"revoke,status=403", FaultAction::revoke},
      {"rate_limit=.5,burst=2", FaultAction::rate_limit},
      {"web_page,count=1", FaultAction::web_page},
      {"error_object,status=503", FaultAction::error_object},
  };
  for (const auto& [text, action] : cases) {
    const auto faults = parse_faults(text);
    ASSERT_TRUE(faults) << text << ": " << faults.error().message;
    EXPECT_EQ(faults->front().action, action) << text;
  }
  EXPECT_TRUE(parse_faults("[]")->empty());
}

TEST(ParseFaults, what_is_refused_and_why) {
  struct Case {
    std::string_view text;
    std::string_view message;
  };
  constexpr Case cases[] = {
      {"[{", "not valid JSON"},
      {"[5]", "not an object"},
      {"{}", "no action"},
      {"", "no action"},
      {"explode", "unknown action"},
      {R"({"action":5})", "unknown action"},
      {"status=503,probabilty=1", "unknown key \"probabilty\""},
      {"status=99", "\"status\""},
      {"status=ok", "\"status\""},
      {"status=503,probability=1.5", "\"probability\""},
      {"status=503,count=0", "\"count\""},
      {R"({"status":503,"path":null})", "\"path\""},
      {"action=status", "needs a status"},
      {"action=rate_limit", "needs a rate_limit"},
      {"pointer=/label", "equals or contains"},
      {"pointer=label,equals=x", "pointer"},
      {"latency_min_ms=5,latency_max_ms=1", "below"},
  };
  for (const auto& [text, message] : cases) {
    const auto faults = parse_faults(text);
    ASSERT_FALSE(faults) << text;
    EXPECT_THAT(faults.error().message, HasSubstr(message)) << text;
  }
}

TEST_F(Faults, without_faults_nothing_happens) {
  const FaultPlan made = plan();
  EXPECT_EQ(made.decisive, nullptr);
  EXPECT_EQ(made.delay, 0ns);
  EXPECT_FALSE(made.deprecated);
  EXPECT_TRUE(made.poisons.empty());
}

TEST_F(Faults, path) {
  struct Case {
    std::string_view fault;
    std::string_view path;
    bool fires;
  };
  constexpr Case cases[] = {
      {"status=500", "/v4/events/batch", true},
      {"status=500", "/v4/transactions/batch", true},
      {"status=500", "/v4/events/custom", false},
      {"status=500", "/uauth/v2/auth/login/profile", false},
      {"status=500,path=/v4/events/custom", "/v4/events/custom", true},
      {"status=500,path=/v4/events/custom", "/v4/events/batch", false},
      {"status=500,path=/v4/*", "/v4/transactions", true},
      {"status=500,path=*", "/uauth/v2/auth/login/profile", true},
      {"revoke", "/uauth/v2/auth/login/profile", true},
      {"revoke,path=/v4/events/batch", "/uauth/v2/auth/login/profile", false},
  };
  for (const auto& [fault, path, fires] : cases) {
    set(fault);
    EXPECT_EQ(plan(path).decisive != nullptr, fires) << fault << " on " << path;
  }
}

TEST_F(Faults, count_ends_a_fault_and_the_next_one_decides) {
  set(R"([{"status":503,"count":2},{"action":"hang","count":1}])");
  EXPECT_EQ(sequence(5), "ssh..");
}

TEST_F(Faults, those_that_add_go_with_the_one_that_decides) {
  set(R"([{"latency_ms":5},{"action":"deprecated"},{"pointer":"/label","equals":"x"},)"
      R"({"action":"reset_after"},{"latency_ms":2},{"status":500}])");
  const FaultPlan made = plan();
  ASSERT_NE(made.decisive, nullptr);
  EXPECT_EQ(made.decisive->action, FaultAction::reset_after);
  EXPECT_EQ(made.delay, 7ms);
  EXPECT_TRUE(made.deprecated);
  EXPECT_EQ(made.poisons.size(), 1U);
}

TEST_F(Faults, probability_repeats_from_the_same_seed_only) {
  constexpr std::string_view fault = "status=503,probability=0.3";
  set(fault);
  const std::string first = sequence(1'000);
  set(fault);
  EXPECT_EQ(sequence(1'000), first);
  const auto fired = std::ranges::count(first, 's');
  EXPECT_GT(fired, 200);
  EXPECT_LT(fired, 400);
  FaultSet other(2);
  other.replace(parse_faults(fault).value());
  std::string others;
  for (int i = 0; i < 1'000; ++i) {
    others += other.plan(batch, start).decisive ? 's' : '.';
  }
  EXPECT_NE(others, first);
}

// Each fault draws from its own generator: another one beside it changes nothing.
TEST_F(Faults, faults_do_not_disturb_each_other) {
  set("status=503,probability=0.3");
  const std::string alone = sequence(200);
  set(R"([{"status":503,"probability":0.3},{"latency_mean_ms":1,"probability":0.5}])");
  EXPECT_EQ(sequence(200), alone);
}

TEST_F(Faults, latency_distributions) {
  set("latency_ms=5");
  EXPECT_EQ(plan().delay, 5ms);
  set("latency_min_ms=10,latency_max_ms=20");
  for (int i = 0; i < 100; ++i) {
    const auto delay = plan().delay;
    EXPECT_GE(delay, 10ms);
    EXPECT_LE(delay, 20ms);
  }
  set("latency_mean_ms=10");
  std::chrono::nanoseconds sum{};
  for (int i = 0; i < 10'000; ++i) {
    sum += plan().delay;
  }
  EXPECT_GT(sum / 10'000, 9ms);
  EXPECT_LT(sum / 10'000, 11ms);
}

TEST_F(Faults, rate_limit_is_a_token_bucket) {
  set("rate_limit=0.5,burst=2");
  EXPECT_EQ(sequence(3), "..r");
  EXPECT_EQ(plan(batch, start + 1s).wait_for_token, 1s);
  EXPECT_EQ(plan(batch, start + 2s).decisive, nullptr);
  EXPECT_EQ(plan(batch, start + 2s).wait_for_token, 2s);
  // However long the pause, no more than the burst is saved up.
  EXPECT_EQ(plan(batch, start + 1h).decisive, nullptr);
  EXPECT_EQ(plan(batch, start + 1h).decisive, nullptr);
  EXPECT_NE(plan(batch, start + 1h).decisive, nullptr);
}

TEST_F(Faults, fired_faults_are_counted) {
  set(R"([{"status":503,"count":2},{"latency_ms":1}])");
  (void)sequence(3);
  EXPECT_EQ(set_.fired()[static_cast<std::size_t>(FaultAction::status)], 2U);
  EXPECT_EQ(set_.fired()[static_cast<std::size_t>(FaultAction::latency)], 3U);
  EXPECT_EQ(set_.to_json(), R"([{"fault":{"status":503,"count":2},"fired":2},)"
                            R"({"fault":{"latency_ms":1},"fired":3}])");
  set_.reset_fired();
  EXPECT_EQ(set_.fired(), FaultCounts{});
}

}  // namespace
}  // namespace sluice::simulator

// Goal: permissions are asked of the upstream once a minute at most, an upstream that is away is
// stood in for by what it told last, and whoever asks is answered whatever happens.
#include "permission_desk.hpp"

#include <list>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;
using deliver::Failure;
using deliver::UpstreamAnswer;

class FakeClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall_now() const override { return WallTime(1'714'564'800'000ms); }
  [[nodiscard]] MonoTime mono_now() const override { return now; }

  MonoTime now{1h};
};

// Keeps what is asked until the test answers.
class FakeUpstream final : public deliver::Upstream {
 public:
  void post(std::string_view path, std::string_view body,
            std::function<void(UpstreamAnswer)> done) override {
    EXPECT_EQ(path, "/uauth/api-key/permission-check");
    questions.emplace_back(body);
    asked.push_back(std::move(done));
  }
  void refresh_credentials(std::function<void(Result<void>)>) override {}
  void stop() override {}

  std::vector<std::string> questions;
  std::vector<std::function<void(UpstreamAnswer)>> asked;
};

class PermissionDeskTest : public testing::Test {
 protected:
  // "profile A=1 B=0", or what is in the way; empty: no answer yet.
  std::string& ask(std::vector<std::string> names) {
    std::string& told = told_.emplace_back();
    desk_.ask(std::move(names), [&told](const ingest::PermissionAnswer& answer) {
      EXPECT_EQ(told, "") << "answered once";
      if (!answer) {
        told = (answer.error().is_refused ? "refused: " : "away: ") + answer.error().why;
        return;
      }
      told = answer->business_profile;
      for (const auto& [name, is_granted] : answer->granted) {
        told += " " + name + (is_granted ? "=1" : "=0");
      }
    });
    return told;
  }
  void answer(unsigned status, std::string body, Failure failure = Failure::none) {
    ASSERT_FALSE(upstream_.asked.empty());
    const auto done = std::move(upstream_.asked.front());
    upstream_.asked.erase(upstream_.asked.begin());
    UpstreamAnswer given;
    given.status = status;
    given.body = std::move(body);
    given.failure = failure;
    given.detail = "gone";
    done(std::move(given));
  }
  static std::string granting(std::string_view pairs) {
    return R"({"businessProfileName":"Shop","permissions":{)" + std::string(pairs) + "}}";
  }

  boost::asio::io_context context_;
  FakeClock clock_;
  FakeUpstream upstream_;
  PermissionDesk desk_{context_.get_executor(), clock_, upstream_};
  std::list<std::string> told_;
};

TEST_F(PermissionDeskTest, AsksAndRemembersForAWhile) {
  const std::string& first = ask({"A", "B"});
  EXPECT_EQ(first, "");
  EXPECT_EQ(upstream_.questions, std::vector<std::string>{R"(["A","B"])"});
  answer(200, granting(R"("A":true)"));
  EXPECT_EQ(first, "Shop A=1 B=0") << "B is unknown to the upstream";
  clock_.now += 60s;
  EXPECT_EQ(ask({"B"}), "Shop B=0");
  EXPECT_EQ(ask({}), "Shop");
  EXPECT_EQ(upstream_.questions.size(), 1U);
  clock_.now += 1s;
  const std::string& later = ask({"A"});
  EXPECT_EQ(later, "");
  answer(200, granting(R"("A":false)"));
  EXPECT_EQ(later, "Shop A=0");
  const std::string& other = ask({"A", "C"});
  EXPECT_EQ(other, "") << "C was never asked for";
}

TEST_F(PermissionDeskTest, WhatWasToldStandsInForAnUpstreamThatIsAway) {
  const std::string& nothing = ask({"A"});
  answer(0, "", Failure::connect);
  EXPECT_EQ(nothing, "away: gone");
  static_cast<void>(ask({"A"}));
  answer(200, granting(R"("A":true)"));
  clock_.now += 24h;
  for (const unsigned status : {503U, 429U, 500U}) {
    const std::string& told = ask({"A"});
    answer(status, "");
    EXPECT_EQ(told, "Shop A=1") << status;
  }
  const std::string& cut = ask({"A"});
  answer(0, "", Failure::answer_timeout);
  EXPECT_EQ(cut, "Shop A=1");
}

TEST_F(PermissionDeskTest, ARefusalIsToldWhateverWasKnown) {
  static_cast<void>(ask({"A"}));
  answer(200, granting(R"("A":true)"));
  clock_.now += 61s;
  const std::string& refused = ask({"A"});
  answer(401, "{}");
  EXPECT_EQ(refused, "refused: it refuses the workspace's credentials");
  const std::string& login = ask({"A"});
  answer(0, "", Failure::credentials);
  EXPECT_EQ(login, "refused: it refuses the workspace's credentials");
  const std::string& page = ask({"A"});
  answer(200, "<html>");
  EXPECT_EQ(page, "refused: the answer names no permissions");
  const std::string& missing = ask({"A"});
  answer(404, "");
  EXPECT_EQ(missing, "refused: it answers 404");
}

TEST_F(PermissionDeskTest, AnotherKeyIsAskedAbout) {
  static_cast<void>(ask({"A"}));
  answer(200, granting(R"("A":true)"));
  desk_.forget();
  EXPECT_EQ(ask({"A"}), "");
}

TEST_F(PermissionDeskTest, OnlyAFewAskAtOnceAndNoneWaitsForEver) {
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(ask({"A"}), "");
  }
  EXPECT_EQ(ask({"A"}), "away: it is being asked by others");
  context_.run();  // until they are out of patience
  EXPECT_EQ(told_.front(), "away: it does not answer");
  answer(200, granting(R"("A":true)"));
  EXPECT_EQ(ask({"A"}), "Shop A=1") << "what comes late is known all the same";
}

TEST(PermissionMemory, IsBounded) {
  PermissionMemory memory;
  deliver::Permissions told{.business_profile = "Shop", .granted = {}};
  for (std::size_t i = 0; i < PermissionMemory::names_max; ++i) {
    told.granted = {{std::to_string(i), true}};
    memory.keep(told, MonoTime(1h));
  }
  const std::vector<std::string> first{"0"};
  EXPECT_TRUE(memory.find(first, MonoTime(1h)));
  told.granted = {{"one more", true}};
  memory.keep(told, MonoTime(1h));
  EXPECT_FALSE(memory.find(first, MonoTime(1h)));
}

}  // namespace
}  // namespace sluice::runtime

// Goal: keys are found however they are sent, and a rate limit lets through exactly its rate.
#include "producers.hpp"

#include <gtest/gtest.h>

namespace sluice::ingest {
namespace {

using namespace std::chrono_literals;

TEST(Credentials, AreReadInEachForm) {
  EXPECT_EQ(key_from_credentials("", "k"), "k");
  EXPECT_EQ(key_from_credentials("Bearer k", ""), "k");
  EXPECT_EQ(key_from_credentials("bearer   k", ""), "k");
  EXPECT_EQ(key_from_credentials("Basic Z3VpZDprOmU=", ""), "k:e");  // guid:k:e
  for (const char* bad :
       {"", "Bearer", "Bearer ", "Basic !!!", "Basic Z3VpZA==", "Digest k", "Bearerk"}) {
    EXPECT_EQ(key_from_credentials(bad, ""), std::nullopt) << bad;
  }
}

TEST(Producers, AreFoundByAnyOfTheirKeys) {
  const Producers producers(
      {{.name = "a", .keys = {{"old", ""}, {"new", ""}}, .workspace = "one"},
       {.name = "b", .keys = {{"other", ""}}, .rate_limit_per_second = 5, .workspace = "two"}},
      {"one", "two"});
  EXPECT_FALSE(producers.anonymous());
  EXPECT_EQ(producers.find("old")->name, "a");
  EXPECT_EQ(producers.find("new")->name, "a");
  EXPECT_EQ(producers.find("other")->workspace, 1);
  EXPECT_EQ(producers.find("none"), nullptr);
  EXPECT_EQ(producers.find(""), nullptr);
  EXPECT_TRUE(Producers({}, {"one"}).anonymous());
}

TEST(Producers, AreFoundByTheirCertificateAlone) {
  const auto named = [](const char* name, std::vector<std::string> certificates) {
    return config::Producer{
        .name = name, .keys = {}, .workspace = "one", .certificates = std::move(certificates)};
  };
  const Producers producers({named("a", {"a.test", "spiffe://shop/a"}), named("b", {"b.test"})},
                            {"one"});
  const auto found = [&](std::vector<std::string> names) -> std::string {
    const Producer* const producer = producers.find_by_certificate(names);
    return producer == nullptr ? "nobody" : producer->name;
  };
  EXPECT_TRUE(producers.know_certificates());
  EXPECT_FALSE(Producers({named("c", {})}, {"one"}).know_certificates());
  EXPECT_EQ(found({"other", "spiffe://shop/a"}), "a");
  EXPECT_EQ(found({"a.test", "spiffe://shop/a"}), "a");
  EXPECT_EQ(found({"b.test"}), "b");
  EXPECT_EQ(found({}), "nobody");
  const std::string with_nul("a.test\0.evil", 12);
  for (const std::string& near : {std::string("A.test"), std::string("x.a.test"), with_nul}) {
    EXPECT_EQ(found({near}), "nobody") << near;
  }
  EXPECT_EQ(found({"a.test", "b.test"}), "nobody") << "which of them?";
}

TEST(Producers, TakeOverIndexesAndWhatWasUsedOfARate) {
  const auto producer = [](const char* name, double rate) {
    return config::Producer{
        .name = name, .keys = {{name, ""}}, .rate_limit_per_second = rate, .workspace = "one"};
  };
  const Producers before({producer("a", 5), producer("b", 5)}, {"one"});
  const Producers after({producer("c", 0), producer("b", 5)}, {"one"}, &before);
  EXPECT_EQ(after.find("a"), nullptr);
  EXPECT_EQ(after.find("b")->index, before.find("b")->index);
  EXPECT_EQ(after.find("b")->rate_limit, before.find("b")->rate_limit);
  EXPECT_EQ(after.find("c")->index, 3) << "never another's";
  const Producers again({producer("a", 6), producer("b", 7)}, {"one"}, &after);
  EXPECT_EQ(again.find("a")->index, 1);
  EXPECT_NE(again.find("b")->rate_limit, before.find("b")->rate_limit) << "another rate";
  EXPECT_EQ(again.indexes(), 3);
}

TEST(RateLimit, LetsThroughASecondsWorthAtOnceAndThenTheRate) {
  RateLimit limit(10);
  const MonoTime start{1h};
  for (int i = 0; i < 10; ++i) {
    EXPECT_LE(limit.wait(start), 0ns) << i;
    limit.charge(1, start);
  }
  EXPECT_EQ(limit.wait(start), 100ms);
  EXPECT_LE(limit.wait(start + 100ms), 0ns);
  limit.charge(1, start + 100ms);
  EXPECT_EQ(limit.wait(start + 100ms), 100ms);
}

TEST(RateLimit, BelowOnePerSecondLetsThroughThatRate) {
  RateLimit limit(0.5);
  const MonoTime start{1h};
  EXPECT_LE(limit.wait(start), 0ns);
  limit.charge(1, start);
  EXPECT_EQ(limit.wait(start), 2s);
  EXPECT_LE(limit.wait(start + 2s), 0ns);
}

TEST(RateLimit, ALargeRequestIsPaidForByTheNext) {
  RateLimit limit(10);
  const MonoTime start{1h};
  limit.charge(50, start);
  EXPECT_EQ(limit.wait(start), 4100ms);
  EXPECT_LE(limit.wait(start + 4100ms), 0ns);
}

TEST(RateLimit, WhatWasExaminedInVainIsPaidForUpToAnHour) {
  RateLimit limit(10);
  const MonoTime start{1h};
  limit.charge_in_vain(50, start);
  EXPECT_EQ(limit.wait(start), 4100ms) << "as anything else";
  limit.charge_in_vain(1'000'000'000, start);
  EXPECT_EQ(limit.wait(start), 1h - 900ms);
  limit.charge_in_vain(1, start);
  EXPECT_EQ(limit.wait(start), 1h - 900ms);
  limit.charge(10, start);
  EXPECT_EQ(limit.wait(start), 1h + 100ms) << "what is let in is paid for in full";
}

}  // namespace
}  // namespace sluice::ingest

// Goal: connections of producers never take the descriptors that store, delivery and admin need.
#include <gtest/gtest.h>

#include <sluice/runtime/descriptors.hpp>

namespace sluice::runtime {
namespace {

config::Config config_of(std::size_t workspaces) {
  config::Config config;
  config.ingest.listen = {config::TcpAddress{.host = "127.0.0.1", .port = 8080}};
  config.workspaces.resize(workspaces);
  return config;
}

TEST(Descriptors, ConnectionsGetWhatTheOthersLeave) {
  for (const std::size_t limit : {256UL, 1'024UL, 65'536UL}) {
    const DescriptorPlan plan = plan_descriptors(config_of(1), 2, limit);
    EXPECT_EQ(plan.limit, limit);
    EXPECT_EQ(plan.reserved + plan.ingest_connections_max, limit);
    EXPECT_GE(plan.ingest_connections_max, limit / 4);
    EXPECT_GE(plan.admin_connections_max, 8);
    EXPECT_FALSE(plan.is_tight);
  }
  EXPECT_EQ(plan_descriptors(config_of(1), 2, 1'024).admin_connections_max, 64);
}

TEST(Descriptors, WorkspacesThreadsListenersAndTheDiskHaveTheirs) {
  const auto reserved = [](const config::Config& config, std::size_t threads) {
    return plan_descriptors(config, threads, 65'536).reserved;
  };
  const config::Config one = config_of(1);
  EXPECT_EQ(reserved(config_of(3), 2) - reserved(one, 2), 2 * (16 + 4));
  EXPECT_GT(reserved(one, 8), reserved(one, 2));
  config::Config more = one;
  more.ingest.listen.push_back(config::UnixAddress{.path = "/run/sluice.sock"});
  EXPECT_GT(reserved(more, 2), reserved(one, 2));
  more = one;
  more.workspaces.front().passthrough = true;
  EXPECT_GE(reserved(more, 2), reserved(one, 2) + more.passthrough.max_in_flight);
  more = one;
  more.buffer.type = config::BufferType::memory;
  EXPECT_LT(reserved(more, 2), reserved(one, 2));
}

TEST(Descriptors, TooFewLeaveAFewConnectionsAndAreKnownToBeTooFew) {
  const DescriptorPlan plan = plan_descriptors(config_of(1), 2, 64);
  EXPECT_TRUE(plan.is_tight);
  EXPECT_EQ(plan.ingest_connections_max, 16);
}

}  // namespace
}  // namespace sluice::runtime

// Goal: every documented path is a route, and nothing else is.
#include "routes.hpp"

#include <string>

#include <gtest/gtest.h>

namespace sluice::ingest {
namespace {

TEST(Routes, EveryEventTypeHasItsPath) {
  for (const EventTypeInfo& type : event_types()) {
    const auto route = find_route("/v4/events/" + std::string(type.path));
    ASSERT_TRUE(route) << type.path;
    EXPECT_TRUE(route->single);
    EXPECT_EQ(route->type, type.type);
    EXPECT_EQ(route->kind, EventKind::event);
  }
}

TEST(Routes, BatchesTransactionsAndSources) {
  EXPECT_EQ(find_route("/v4/events/batch")->id, RouteId::events_batch);
  EXPECT_FALSE(find_route("/v4/events/batch")->single);
  EXPECT_EQ(find_route("/v4/transactions")->kind, EventKind::transaction);
  EXPECT_TRUE(find_route("/v4/transactions")->single);
  EXPECT_EQ(find_route("/v4/transactions/batch")->id, RouteId::transactions_batch);
  EXPECT_EQ(find_route("/v1/events/orders")->source, "orders");
}

TEST(Routes, NothingElse) {
  for (const char* path : {"", "/", "/v4/events", "/v4/events/", "/v4/events/no-such",
                           "/v4/events/ai-compat/batch", "/v4/events/batch/", "/v4/transactions/",
                           "/v1/events/", "/v4/profiles", "/V4/events/batch"}) {
    EXPECT_FALSE(find_route(path)) << path;
  }
}

}  // namespace
}  // namespace sluice::ingest

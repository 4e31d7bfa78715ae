// Goal: who misses a route by little is told which one it is, and who calls another of the API's
// paths is not.
#include "route_hint.hpp"

#include <gtest/gtest.h>

#include "routes.hpp"

namespace sluice::ingest {
namespace {

TEST(RouteHint, NamesTheRouteThatWasMissed) {
  struct Case {
    const char* path;
    const char* route;
  };
  for (const auto& [path, route] :
       {Case{"/v4/events/add-to-cart", "/v4/events/added-to-cart"},
        Case{"/v4/events/addToCart", "/v4/events/added-to-cart"},
        Case{"/v4/events/product.addToCart", "/v4/events/added-to-cart"},
        Case{"/v4/events/remove-from-cart", "/v4/events/removed-from-cart"},
        Case{"/v4/events/add-to-favourites", "/v4/events/added-to-favorites"},
        Case{"/v4/events/client.login", "/v4/events/logged-in"},
        Case{"/v4/events/push-viewed", "/v4/events/push/viewed"},
        Case{"/v4/events/push/view", "/v4/events/push/viewed"},
        Case{"/v4/events/batch/", "/v4/events/batch"},
        Case{"/v4//events/batch", "/v4/events/batch"},
        Case{"/V4/Events/Batch", "/v4/events/batch"},
        Case{"/events/batch", "/v4/events/batch"},
        Case{"/v3/events/batch", "/v4/events/batch"},
        Case{"/v4/event/batch", "/v4/events/batch"},
        Case{"/v4/event/added-to-cart", "/v4/events/added-to-cart"},
        Case{"/event/custom", "/v4/events/custom"},
        Case{"/api/v4/events/batch", "/v4/events/batch"},
        Case{"/v4/evetns/batch", "/v4/events/batch"},
        Case{"/v4/transaction", "/v4/transactions"},
        Case{"/transactions/batch", "/v4/transactions/batch"},
        Case{"/v4/transactions/", "/v4/transactions"},
        Case{"/v4/auth/login/profiles", "/v4/auth/login/profile"},
        Case{"/uauth/v2/auth/login/profile/", "/uauth/v2/auth/login/profile"},
        Case{"/uauth/api-key/permission-check/", "/uauth/api-key/permission-check"},
        Case{"/uauth/api-key/permission_check", "/uauth/api-key/permission-check"},
        Case{"/v4/events", "/v4/events/batch"},
        Case{"/v4/events/", "/v4/events/batch"},
        Case{"/v4/auth/login", "/v4/auth/login/profile"},
        Case{"/v4/events/transactions", "/v4/transactions"},
        Case{"/v4/events/transactions/batch", "/v4/transactions/batch"},
        Case{"/v4/transactions/events/batch", "/v4/events/batch"},
        Case{"/ready", "/readyz"}}) {
    EXPECT_EQ(nearest_route(path), route) << path;
  }
}

TEST(RouteHint, LeavesOtherPathsAlone) {
  for (const char* path : {"", "/", "/v4", "/v4/clients", "/v4/clients/batch", "/v4/clients/123",
                           "/v4/events/ai-compat/batch", "/v4/events/ai-compat/recommendation.view",
                           "/catalogs/bags/77/items/batch", "/v4/transactions/123", "/favicon.ico",
                           "/v4/promotions", "/index.php"}) {
    EXPECT_EQ(nearest_route(path), "") << path;
  }
  EXPECT_EQ(nearest_route("/v4/events/batch" + std::string(10'000, '/')), "")
      << "nothing is spent on what is no route at all";
}

TEST(RouteHint, IsASentenceOnlyWhereThePathIsAnother) {
  EXPECT_EQ(route_hint("/events/batch"), " Did you mean /v4/events/batch?");
  EXPECT_EQ(route_hint("/v4/clients"), "");
  EXPECT_EQ(route_hint("/v4/events/batch"), "");
}

TEST(TrackerKey, IsAParameterOfTheQuery) {
  for (const char* target : {"/a?token=x", "/a?b=c&token=x", "/a?token="}) {
    EXPECT_TRUE(has_tracker_key(target)) << target;
  }
  for (const char* target : {"/a", "/token=x", "/a?", "/a?mytoken=x", "/a?b=token=x", "/a?b&&c"}) {
    EXPECT_FALSE(has_tracker_key(target)) << target;
  }
}

}  // namespace
}  // namespace sluice::ingest

#include <sluice/event/event_type.hpp>

namespace sluice {
namespace {

using Names = std::span<const std::string_view>;

constexpr std::array<std::string_view, 5> cart_params{"source", "sku", "name", "quantity",
                                                      "finalUnitPrice"};
constexpr std::array<std::string_view, 1> source_only{"source"};
constexpr std::array<std::string_view, 2> location_params{"lat", "lon"};
constexpr std::array<std::string_view, 2> application_params{"applicationName", "version"};
constexpr std::array<std::string_view, 1> company_params{"companyId"};
constexpr std::array<std::string_view, 1> cancel_params{"orderId"};
constexpr std::array<std::string_view, 4> search_click_params{"correlationId", "item", "position",
                                                              "searchType"};

using enum EventType;
constexpr std::array<EventTypeInfo, event_type_count> types{{
    {custom, "custom", "", true, {}},
    {added_to_cart, "added-to-cart", "product.addToCart", true, cart_params},
    {removed_from_cart, "removed-from-cart", "product.removeFromCart", true, cart_params},
    {added_to_favorites, "added-to-favorites", "product.addToFavorite", true, {}},
    {product_view, "product-view", "product.view", true, source_only},
    {searched, "searched", "client.search", true, source_only},
    {shared, "shared", "client.shared", true, source_only},
    {visited_screen, "visited-screen", "screen.view", true, source_only},
    {registered, "registered", "client.register", true, source_only},
    {logged_in, "logged-in", "client.login", true, source_only},
    {logged_out, "logged-out", "client.logout", true, source_only},
    {appeared_in_location, "appeared-in-location", "client.location", true, location_params},
    {application_started, "application-started", "client.applicationStarted", true,
     application_params},
    {assigned_to_company, "assigned-to-company", "client.assignToCompany", true, company_params},
    {cancelled_transaction, "cancelled-transaction", "transaction.cancel", true, cancel_params},
    {hit_timer, "hit-timer", "client.hitTimer", false, {}},
    {item_search_click, "item-search-click", "item.search.click", true, search_click_params},
    {push_received, "push/received", "push.receiveInBackground", false, {}},
    {push_viewed, "push/viewed", "push.view", false, {}},
    {push_clicked, "push/clicked", "push.click", false, {}},
    {push_cancelled, "push/cancelled", "push.cancel", false, {}},
    {recommendation_seen, "recommendation-seen", "recommendation-seen", false, {}, true},
    {recommendation_click, "recommendation-click", "recommendation-click", false, {}, true},
    {completed_transaction, "completed-transaction", "completed-transaction", false, {}, true},
}};

constexpr bool indexed_by_enumerator() {
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (static_cast<std::size_t>(types[i].type) != i) {
      return false;
    }
  }
  return true;
}
static_assert(indexed_by_enumerator());

constexpr std::array<std::string_view, 6> sources{"WEB_DESKTOP", "WEB_MOBILE", "MOBILE_APP",
                                                  "POS",         "MOBILE",     "DESKTOP"};
constexpr std::array<std::string_view, 6> reserved{"modifiedBy", "apiKey", "eventUUID",
                                                   "ip",         "time",   "businessProfileId"};

}  // namespace

const std::array<EventTypeInfo, event_type_count>& event_types() { return types; }

const EventTypeInfo& info(EventType type) { return types[static_cast<std::size_t>(type)]; }

std::optional<EventType> event_type_from_path(std::string_view path) {
  for (const EventTypeInfo& entry : types) {
    if (entry.path == path) {
      return entry.type;
    }
  }
  return std::nullopt;
}

std::span<const std::string_view> event_sources() { return sources; }
std::span<const std::string_view> reserved_params() { return reserved; }

}  // namespace sluice

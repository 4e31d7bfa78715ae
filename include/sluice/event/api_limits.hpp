// What the Synerise events API accepts: every limit and every assumption about it, in one place.
//
// Sources: [M] Synerise/magento2-integration, [P] the doc comments of Synerise/php-sdk v0.5.1, [V]
// that SDK's validators, [D] the vendor's documentation (hub.synerise.com), [assumed] our choice
// where nothing public says.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

namespace sluice::api {

// A batch holds at most so many events [P] ...
inline constexpr std::size_t batch_events_max = 1'000;
// ... in a body of at most 1 MB [P], which we read as the smaller meaning of the word [assumed].
inline constexpr std::size_t batch_bytes_max = 1'000'000;
// `action` matches ^[a-zA-Z0-9.\-_]+$ and has at most so many characters [P].
inline constexpr std::size_t action_length_max = 32;
// The version that the header `Api-Version` asks for on every /v4 call.
inline constexpr std::string_view version = "4.4";
// A salt longer than this is refused [assumed]: it is kept with every event.
inline constexpr std::size_t event_salt_length_max = 256;
// Nesting deeper than this is refused [assumed].
inline constexpr std::size_t nesting_depth_max = 64;

inline constexpr std::string_view events_batch_path = "/v4/events/batch";
inline constexpr std::string_view transactions_batch_path = "/v4/transactions/batch";
inline constexpr std::string_view login_path = "/uauth/v2/auth/login/profile";
// Takes a JSON array of permission names, and tells which of them the key has [P].
inline constexpr std::string_view permission_check_path = "/uauth/api-key/permission-check";
// What a key needs for transactions_batch_path [M]. That for events_batch_path is not public.
inline constexpr std::string_view transactions_batch_permission = "API_BATCH_TRANSACTION_CREATE";

// How long a token is taken to be valid when it does not say [P].
inline constexpr std::chrono::minutes token_lifetime_default{60};

}  // namespace sluice::api

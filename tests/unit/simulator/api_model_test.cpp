// Goal: each endpoint answers as the API does, stores what it accepts and nothing else, and does
// what the faults say; without a socket.
#include "api_model.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <sluice/event/api_limits.hpp>

namespace sluice::simulator {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr WallTime api_time{1'767'225'600'000ms};  // 2026-01-01T00:00:00Z
constexpr std::string_view basic = "Basic Zzpr";   // g:k
constexpr std::string_view valid_transaction =
    R"({"client":{"id":1},"orderId":"o","source":"POS","paymentInfo":{"method":"cash"},)"
    R"("revenue":{"amount":10,"currency":"PLN"},"value":{"amount":10,"currency":"PLN"},)"
    R"("products":[{"sku":"s","name":"n","quantity":2,)"
    R"("finalUnitPrice":{"amount":5,"currency":"PLN"}}]})";

// What differs from a good request.
struct Change {
  std::string_view method = "POST";
  std::string_view authorization = basic;
  std::string_view content_type = "application/json";
  std::string_view content_encoding = "";
  std::string_view api_version = "4.4";
  WallTime at = api_time;
};

std::string event(std::string_view salt, std::string_view label = "l") {
  return R"({"type":"custom","action":"a","label":")" + std::string(label) +
         R"(","client":{"customId":"c"},"params":{"sku":"s-)" + std::string(salt) +
         R"("},"time":"2025-06-01T10:00:00Z","eventSalt":")" + std::string(salt) + R"("})";
}

std::string batch_of(std::size_t events) {
  std::string body = "[";
  for (std::size_t i = 0; i < events; ++i) {
    body += (i == 0 ? "" : ",") + event(std::to_string(i));
  }
  return body + "]";
}

class Api : public ::testing::Test {
 protected:
  Answer call(std::string_view target, const std::string& body, Change change = {}) {
    return model_->handle({.method = change.method,
                           .target = target,
                           .authorization = change.authorization,
                           .content_type = change.content_type,
                           .content_encoding = change.content_encoding,
                           .api_version = change.api_version,
                           .body = body,
                           .now = change.at,
                           .mono_now = MonoTime{}});
  }
  Answer batch(const std::string& body) { return call(api::events_batch_path, body); }
  void set_faults(std::string_view text) { world_->faults.replace(parse_faults(text).value()); }
  void use(Options options) {
    world_ = std::make_unique<World>(std::move(options));
    model_ = std::make_unique<ApiModel>(*world_);
  }
  std::string token() {
    const Answer answer = call(api::login_path, R"({"apiKey":"k"})");
    simdjson::dom::parser parser;
    return std::string(std::string_view(parser.parse(answer.body)["token"]));
  }

  static Options defaults() {
    Options options;
    options.workspaces = {{.guid = "g", .api_key = "k"}};
    options.validation = Validation::strict;
    return options;
  }

  std::unique_ptr<World> world_ = std::make_unique<World>(defaults());
  std::unique_ptr<ApiModel> model_ = std::make_unique<ApiModel>(*world_);
};

TEST_F(Api, accepts_with_an_empty_202) {
  const Answer answer = batch("[" + event("1") + " , " + event("2") + "]");
  EXPECT_EQ(answer.status, 202U);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(world_->ledger.summary().unique, 2U);
  // The ledger keeps the bytes as they came.
  EXPECT_EQ(world_->ledger.find("1").value_or(LedgerEntry{}).body, event("1"));
  EXPECT_EQ(world_->ledger.find("2").value_or(LedgerEntry{}).body, event("2"));
}

TEST_F(Api, bodies_are_told_apart_whatever_they_hold) {
  const std::string odd =
      R"({"type":"hit-timer","label":"],[{\"\\","client":{"id":1},"params":{"a":[[],{}],"b":"}\\\\"}})";
  EXPECT_EQ(batch("\n[\t" + odd + ",\n" + event("1") + "\r\n]\n").status, 202U);
  const auto entries = world_->ledger.entries();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].body, odd);
  EXPECT_EQ(entries[1].body, event("1"));
}

TEST_F(Api, the_same_event_again_counts_once) {
  EXPECT_EQ(batch("[" + event("1") + "]").status, 202U);
  EXPECT_EQ(batch("[" + event("1") + "," + event("2") + "]").status, 202U);
  EXPECT_EQ(world_->ledger.summary().unique, 2U);
  EXPECT_EQ(world_->ledger.summary().deliveries, 3U);
}

TEST_F(Api, single_event_and_batch_item_share_an_identity) {
  EXPECT_EQ(call("/v4/events/custom", event("1")).status, 202U);
  EXPECT_EQ(batch("[" + event("1") + "]").status, 202U);
  EXPECT_EQ(world_->ledger.summary().unique, 1U);
}

TEST_F(Api, dedicated_endpoints_take_their_type_from_the_path) {
  const std::string body = R"({"label":"l","client":{"id":1}})";
  EXPECT_EQ(call("/v4/events/hit-timer", body).status, 202U);
  EXPECT_EQ(call("/v4/events/push/viewed", body).status, 202U);
  EXPECT_EQ(call("/v4/events/logged-in", body).status, 400U);
  EXPECT_EQ(call("/v4/events/recommendation-seen", body).status, 400U) << "deprecated";
  EXPECT_EQ(call("/v4/events/no-such", body).status, 404U);
  const auto entries = world_->ledger.entries();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].action, "client.hitTimer");
  EXPECT_EQ(entries[1].action, "push.view");
}

TEST_F(Api, a_number_beyond_the_doubles_costs_no_other_event_its_identifier) {
  const auto with = [](std::string_view id, std::string_view number) {
    return R"({"type":"custom","action":"a","label":"l","client":{"id":)" + std::string(id) +
           R"(},"params":{"n":)" + std::string(number) + "}}";
  };
  const Answer answer =
      batch("[" + with("-1234567890123456789", "1") + "," +
            with("9223372036854775807", "18446744073709551615") + "," + with("1", "1e400") + "]");
  EXPECT_EQ(answer.status, 202U) << answer.body;
  EXPECT_EQ(batch("[" + with("2", "123456789012345678901234567890") + "]").status, 202U)
      << "nor does an integer beyond 64 bits";
  const auto entries = world_->ledger.entries();
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[0].profile, "id:-1234567890123456789");
  EXPECT_EQ(entries[1].profile, "id:9223372036854775807");
}

TEST_F(Api, error_format) {
  const Answer single = call("/v4/events/custom", R"({"action":"a","label":5})");
  EXPECT_EQ(single.status, 400U);
  EXPECT_EQ(single.body,
            R"({"timestamp":"2026-01-01T00:00:00.000Z","error":"Bad Request","status":400,)"
            R"("message":"Validation failed","path":"/v4/events/custom","errors":[{"code":121,)"
            R"("field":"label","message":"must be a string","rejectedValue":5}]})");
  const Answer many = batch("[" + event("1") + R"(,{"type":"hit-timer"},7])");
  EXPECT_EQ(many.status, 400U);
  EXPECT_THAT(many.body, HasSubstr(R"("errors":[{"code":120,"field":"[1].label")"));
  EXPECT_THAT(many.body, HasSubstr(R"({"code":121,"field":"[2]")"));
  EXPECT_EQ(call("/v4/nothing", "").body,
            R"({"timestamp":"2026-01-01T00:00:00.000Z","error":"Not Found","status":404,)"
            R"("message":"no such endpoint","path":"/v4/nothing","errors":[]})");
}

TEST_F(Api, one_invalid_event_costs_the_whole_batch) {
  EXPECT_EQ(batch("[" + event("1") + "," + event("2", "") + "]").status, 400U);
  EXPECT_EQ(world_->ledger.summary().deliveries, 0U);
  EXPECT_EQ(world_->stats().events_refused, 1U);
  EXPECT_EQ(world_->stats().events_accepted, 0U);
}

TEST_F(Api, partial_mode_stores_the_others_and_names_the_refused) {
  Options options = defaults();
  options.invalid_events = InvalidEvents::store_others;
  use(options);
  const Answer answer = batch("[" + event("1") + "," + event("2", "") + "," + event("3") + "]");
  EXPECT_EQ(answer.status, 207U);
  EXPECT_THAT(answer.body, HasSubstr(R"("errors":[{"index":1,"code":120,"field":"[1].label")"));
  EXPECT_TRUE(world_->ledger.find("1"));
  EXPECT_FALSE(world_->ledger.find("2"));
  EXPECT_TRUE(world_->ledger.find("3"));
  EXPECT_EQ(batch("[" + event("2", "") + "]").status, 400U);
}

TEST_F(Api, malformed_bodies) {
  const std::string repeated =
      R"([{"type":"hit-timer","label":"l","client":{"id":1},"label":"m"}])";
  for (const std::string& body :
       {std::string(), std::string("{"), std::string("[]"), std::string("{}"), std::string("[{}"),
        std::string("[\"\xff\"]"), event("1"), repeated, batch_of(1) + "x"}) {
    EXPECT_EQ(batch(body).status, 400U) << body;
  }
  EXPECT_EQ(call("/v4/events/custom", "{").status, 400U);
  EXPECT_EQ(call("/v4/events/custom", batch_of(1)).status, 400U);
  EXPECT_EQ(call("/v4/transactions", "").status, 400U);
  EXPECT_EQ(world_->ledger.summary().deliveries, 0U);
}

TEST_F(Api, limits_of_a_batch) {
  EXPECT_EQ(batch(batch_of(1'000)).status, 202U);
  EXPECT_EQ(batch(batch_of(1'001)).status, 413U);
  std::string body = batch_of(1);
  body.resize(api::batch_bytes_max, ' ');
  EXPECT_EQ(batch(body).status, 202U);
  body += ' ';
  EXPECT_EQ(batch(body).status, 413U);
  EXPECT_EQ(call("/v4/events/custom", body).status, 413U);

  Options options = defaults();
  options.over_limit_status = 400;
  use(options);
  EXPECT_EQ(batch(batch_of(1'001)).status, 400U);
  EXPECT_EQ(batch(body).status, 400U);
  EXPECT_EQ(world_->ledger.summary().deliveries, 0U);
}

TEST_F(Api, transactions) {
  const std::string one(valid_transaction);
  EXPECT_EQ(call("/v4/transactions", one).status, 202U);
  EXPECT_EQ(call("/v4/transactions/batch", "[" + one + "," + one + "]").status, 202U);
  // Without a salt the same order makes another transaction each time.
  EXPECT_EQ(world_->ledger.summary().unique, 3U);
  EXPECT_EQ(world_->ledger.entries().front().action, "transaction.charge");
  EXPECT_EQ(call("/v4/transactions/batch", one).status, 400U);
  EXPECT_EQ(call("/v4/transactions", "{}").status, 400U);
  EXPECT_EQ(call("/v4/transactions/batch", batch_of(1)).status, 400U);
  EXPECT_EQ(batch("[" + one + "]").status, 400U);
}

TEST_F(Api, heads_that_are_refused) {
  struct Case {
    std::string_view path;
    Change change;
    unsigned status;
  };
  const Case cases[] = {
      {"/v4/events/batch", {}, 202},
      {"/v4/events/batch?x=1", {}, 202},
      {"/v4/events/batch", {.content_type = "Application/JSON; charset=utf-8"}, 202},
      {"/v4/events/batch", {.method = "GET"}, 405},
      {"/v4/events/batch", {.authorization = ""}, 401},
      {"/v4/events/batch", {.authorization = "Basic Zzp4"}, 401},
      {"/v4/events/batch", {.authorization = "Bearer x.y.z"}, 401},
      {"/v4/events/batch", {.content_type = ""}, 415},
      {"/v4/events/batch", {.content_type = "text/plain"}, 415},
      {"/v4/events/batch", {.content_type = "application/jsonp"}, 415},
      {"/v4/events/batch", {.content_encoding = "gzip"}, 415},
      {"/v4/events/batch", {.content_encoding = "identity"}, 202},
      {"/v4/events/batch", {.api_version = ""}, 400},
      {"/v4/events/batch", {.api_version = "4.3"}, 400},
      {"/v4/events/no/such", {}, 404},
      {"/", {}, 404},
      {"", {}, 404},
  };
  const std::string body = batch_of(1);
  for (const auto& [path, change, status] : cases) {
    EXPECT_EQ(call(path, body, change).status, status)
        << path << " " << change.method << " " << change.authorization << " " << change.content_type
        << " " << change.content_encoding << " " << change.api_version;
  }
  EXPECT_EQ(call("/v4/events/batch", body, {.method = "PUT"}).allow, "POST");
}

TEST_F(Api, login_gives_a_token_that_expires) {
  const std::string bearer = "Bearer " + token();
  EXPECT_EQ(call("/v4/events/batch", batch_of(1), {.authorization = bearer}).status, 202U);
  const Answer expired =
      call("/v4/events/batch", batch_of(1), {.authorization = bearer, .at = api_time + 60min});
  EXPECT_EQ(expired.status, 401U);
  EXPECT_THAT(expired.body, HasSubstr(R"("error":"Token expired.")"));
  EXPECT_EQ(world_->stats().logins, 1U);
}

TEST_F(Api, login_endpoints) {
  struct Case {
    std::string_view path;
    std::string body;
    Change change;
    unsigned status;
  };
  const std::string good = R"({"apiKey":"k"})";
  const Case cases[] = {
      {"/uauth/v2/auth/login/profile", good, {.authorization = "", .api_version = ""}, 200},
      {"/v4/auth/login/profile", good, {.authorization = ""}, 200},
      {"/v4/auth/login/profile", good, {.authorization = "", .api_version = ""}, 400},
      {"/uauth/v2/auth/login/profile", R"({"apiKey":"x"})", {}, 401},
      {"/uauth/v2/auth/login/profile", R"({"apiKey":5})", {}, 400},
      {"/uauth/v2/auth/login/profile", "{}", {}, 400},
      {"/uauth/v2/auth/login/profile", "[]", {}, 400},
      {"/uauth/v2/auth/login/profile", "x", {}, 400},
      {"/uauth/v2/auth/login/profile", good, {.content_type = "text/plain"}, 415},
      {"/uauth/v2/auth/login/profile", good, {.method = "GET"}, 405},
  };
  for (const auto& [path, body, change, status] : cases) {
    EXPECT_EQ(call(path, body, change).status, status) << path << " " << body;
  }
}

TEST_F(Api, refresh_and_permission_check) {
  const std::string bearer = "Bearer " + token();
  const Change get{.method = "GET", .authorization = bearer, .content_type = ""};
  const Answer refreshed = call("/v4/auth/refresh/profile", "", get);
  EXPECT_EQ(refreshed.status, 200U);
  EXPECT_THAT(refreshed.body, StartsWith(R"({"token":")"));
  Change late = get;
  late.at = api_time + 61min;
  EXPECT_EQ(call("/v4/auth/refresh/profile", "", late).status, 401U);
  const Answer permissions = call("/uauth/api-key/permission-check", "", {.content_type = ""});
  EXPECT_EQ(permissions.status, 200U);
  EXPECT_THAT(permissions.body, HasSubstr(R"("API_CUSTOM_EVENTS_CREATE":true)"));
  EXPECT_EQ(call("/uauth/api-key/permission-check", "", {.authorization = ""}).status, 401U);
  EXPECT_THAT(
      call("/uauth/api-key/permission-check", R"(["NONE","API_TRANSACTION_CREATE"])", {}).body,
      testing::EndsWith(R"("permissions":{"NONE":false,"API_TRANSACTION_CREATE":true}})"));
  EXPECT_EQ(call("/uauth/api-key/permission-check", "{}", {}).status, 400U);
}

TEST_F(Api, future_time_is_replaced_and_the_salt_has_no_effect) {
  const std::string body = R"([{"type":"hit-timer","label":"l","client":{"id":1},"eventSalt":"s",)"
                           R"("time":"2026-01-01T00:00:01Z"}])";
  EXPECT_EQ(batch(body).status, 202U);
  EXPECT_EQ(batch(body).status, 202U);
  EXPECT_EQ(world_->stats().future_times_replaced, 2U);
  EXPECT_EQ(world_->ledger.summary().unique, 2U);
  EXPECT_EQ(world_->ledger.entries().front().time, "2026-01-01T00:00:00.000Z");
}

TEST_F(Api, by_default_takes_what_the_api_is_not_known_to_refuse) {
  Options options = defaults();
  options.validation = Options{}.validation;
  use(options);
  EXPECT_EQ(batch(R"([{"type":"logged-out","client":{"id":1}}])").status, 202U);
  EXPECT_EQ(batch(R"([{"type":"logged-out","client":{}}])").status, 400U);
  EXPECT_EQ(call("/v4/transactions/batch", R"([{"client":{"id":1}}])").status, 202U);
  EXPECT_EQ(call("/v4/events/recommendation-seen", R"({"client":{"id":1}})").status, 202U);
  // Other services are there, and look at nothing.
  EXPECT_EQ(call("/v4/clients/batch", R"([{"email":"a@b.co"}])").status, 202U);
  EXPECT_EQ(call("/catalogs/bags/77/items/batch", "[]").status, 202U);
  EXPECT_EQ(call("/v4/events/ai-compat/batch?token=t", "{}", {.authorization = ""}).status, 202U);
  EXPECT_EQ(call("/v4/events/ai-compat/batch", "{}", {.authorization = ""}).status, 401U);
}

TEST_F(Api, without_validation_anything_of_the_right_outline_is_stored) {
  Options options = defaults();
  options.validation = Validation::none;
  use(options);
  EXPECT_EQ(batch(R"([{"type":"nonsense","label":null},5])").status, 202U);
  EXPECT_EQ(batch("[" + event("1") + "]").status, 202U);
  EXPECT_EQ(batch("[" + event("1") + "]").status, 202U);
  EXPECT_EQ(world_->ledger.summary().unique, 3U);
  EXPECT_EQ(call("/v4/transactions/batch", "[5,{}]").status, 202U);
  EXPECT_EQ(batch("x").status, 400U);
}

TEST_F(Api, compact_ledger_counts_the_same) {
  Options options = defaults();
  options.ledger = LedgerMode::compact;
  use(options);
  EXPECT_EQ(batch(batch_of(3)).status, 202U);
  EXPECT_EQ(batch(batch_of(4)).status, 202U);
  EXPECT_EQ(world_->ledger.summary().unique, 4U);
  EXPECT_EQ(world_->ledger.summary().deliveries, 7U);
}

TEST_F(Api, statistics) {
  (void)batch(batch_of(3));
  (void)batch(batch_of(1));
  (void)batch("x");
  (void)call("/v4/one", "");
  (void)call("/v4/another", "");
  const Stats stats = world_->stats();
  EXPECT_EQ(stats.requests.find("/v4/events/batch")->second.at(202), 2U);
  EXPECT_EQ(stats.requests.find("/v4/events/batch")->second.at(400), 1U);
  EXPECT_EQ(stats.requests.find("other")->second.at(404), 2U);
  EXPECT_EQ(stats.requests_total(), 5U);
  EXPECT_EQ(stats.batch_events.count, 2U);
  EXPECT_EQ(stats.batch_events.mean(), 2.0);
  EXPECT_EQ(stats.batch_events.max, 3U);
  EXPECT_EQ(stats.batch_bytes.max, batch_of(3).size());
  EXPECT_EQ(stats.events_accepted, 4U);
}

TEST_F(Api, faults_that_refuse_store_nothing) {
  struct Case {
    std::string_view fault;
    unsigned status;
    std::string_view retry_after;
  };
  constexpr Case cases[] = {
      {"status=503,retry_after=7", 503, "7"},
      {R"({"status":429,"retry_after":"Thu, 01 Jan 2026 00:00:05 GMT"})", 429,
       "Thu, 01 Jan 2026 00:00:05 GMT"},
      {"status=500", 500, ""},
      {"revoke", 401, ""},
      {"revoke,status=403", 403, ""},
  };
  for (const auto& [fault, status, retry_after] : cases) {
    set_faults(fault);
    const Answer answer = batch(batch_of(1));
    EXPECT_EQ(answer.status, status) << fault;
    EXPECT_EQ(answer.retry_after, retry_after) << fault;
    EXPECT_EQ(answer.transmission, Transmission::whole) << fault;
  }
  EXPECT_EQ(world_->ledger.summary().deliveries, 0U);
}

TEST_F(Api, fault_body_replaces_the_error) {
  set_faults("status=502,body=<html>");
  EXPECT_EQ(batch(batch_of(1)).body, "<html>");
}

TEST_F(Api, what_another_server_would_answer_stores_nothing) {
  set_faults("web_page");
  const Answer page = batch(batch_of(1));
  EXPECT_EQ(page.status, 200U);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  set_faults("status=200,body=OK,content_type=text/plain");
  EXPECT_EQ(batch(batch_of(1)).content_type, "text/plain");
  set_faults("error_object,status=422");
  const Answer error = batch(batch_of(1));
  EXPECT_EQ(error.status, 200U);
  EXPECT_NE(error.body.find("\"status\":422"), std::string::npos);
  EXPECT_EQ(world_->ledger.summary().deliveries, 0U);
}

TEST_F(Api, rate_limit_says_when_to_come_back) {
  set_faults("rate_limit=0.25");
  EXPECT_EQ(batch(batch_of(1)).status, 202U);
  const Answer limited = batch(batch_of(1));
  EXPECT_EQ(limited.status, 429U);
  EXPECT_EQ(limited.retry_after, "4");
}

TEST_F(Api, faults_of_the_connection) {
  struct Case {
    std::string_view fault;
    Transmission transmission;
    std::chrono::nanoseconds delay;
    std::uint64_t delivered;
  };
  constexpr Case cases[] = {
      {"reset_before", Transmission::reset, 0ns, 0},
      {"reset_after", Transmission::reset, 0ns, 1},
      {"hang,hang_ms=5000", Transmission::whole, 5s, 1},
      {"slow_body,slow_ms=80", Transmission::slow, 0ns, 1},
      {"cut_body", Transmission::cut, 0ns, 1},
      {"malformed", Transmission::garbage, 0ns, 1},
      {"latency_ms=3", Transmission::whole, 3ms, 1},
  };
  for (const auto& [fault, transmission, delay, delivered] : cases) {
    world_->reset();
    set_faults(fault);
    const Answer answer = batch(batch_of(1));
    EXPECT_EQ(answer.transmission, transmission) << fault;
    EXPECT_EQ(answer.delay, delay) << fault;
    EXPECT_EQ(world_->ledger.summary().deliveries, delivered) << fault;
    const unsigned counted = transmission == Transmission::reset ? 0 : 202;
    EXPECT_EQ(world_->stats().requests.find("/v4/events/batch")->second.at(counted), 1U) << fault;
    EXPECT_EQ(world_->stats().faults_fired_total(), 1U) << fault;
  }
}

TEST_F(Api, slow_and_cut_answers_have_a_body_to_be_slow_with) {
  for (const std::string_view fault : {"slow_body", "cut_body"}) {
    set_faults(fault);
    EXPECT_GT(batch(batch_of(1)).body.size(), 100U) << fault;
    set_faults(std::string(fault) + ",body=mine");
    EXPECT_EQ(batch(batch_of(1)).body, "mine") << fault;
  }
}

TEST_F(Api, deprecated_header_comes_with_whatever_answer) {
  set_faults(R"([{"action":"deprecated"},{"status":503,"count":1}])");
  const Answer refused = batch(batch_of(1));
  EXPECT_EQ(refused.status, 503U);
  EXPECT_TRUE(refused.deprecated);
  EXPECT_TRUE(batch(batch_of(1)).deprecated);
  EXPECT_THAT(to_wire(refused, true, api_time).text, HasSubstr("\r\nX-API-DEPRECATED: true\r\n"));
}

TEST_F(Api, poison_refuses_the_batches_that_hold_it) {
  struct Case {
    std::string_view fault;
    unsigned status;
  };
  constexpr Case cases[] = {
      {R"({"pointer":"/params/sku","equals":"s-1"})", 400},
      {R"({"pointer":"/params/sku","equals":"s-"})", 202},
      {R"({"pointer":"/params/sku","contains":"-2"})", 400},
      {R"({"pointer":"/params/sku","contains":"-9"})", 202},
      {R"({"pointer":"/params/none","contains":"1"})", 202},
      {R"({"pointer":"/params","contains":"1"})", 202},
  };
  for (const auto& [fault, status] : cases) {
    set_faults(fault);
    EXPECT_EQ(batch(batch_of(3)).status, status) << fault;
  }
  set_faults(R"({"pointer":"/params/sku","equals":"s-1"})");
  EXPECT_THAT(batch(batch_of(3)).body,
              HasSubstr(R"("errors":[{"code":199,"field":"[1].params.sku")"));
  EXPECT_EQ(world_->stats().faults_fired.at("poison"), 3U);
}

TEST_F(Api, poison_compares_numbers_too) {
  set_faults(R"({"pointer":"/client/id","equals":7})");
  EXPECT_EQ(batch(R"([{"type":"hit-timer","label":"l","client":{"id":7}}])").status, 400U);
  EXPECT_EQ(batch(R"([{"type":"hit-timer","label":"l","client":{"id":8}}])").status, 202U);
}

TEST_F(Api, control_shows_and_sets_faults) {
  const Change anonymous{.authorization = "", .content_type = ""};
  EXPECT_EQ(call("/sim/faults", R"([{"status":503}])", anonymous).status, 200U);
  EXPECT_EQ(batch(batch_of(1)).status, 503U);
  EXPECT_EQ(call("/sim/faults", "", {.method = "GET"}).body,
            R"([{"fault":{"status":503},"fired":1}])");
  EXPECT_EQ(call("/sim/faults", R"([{"statuss":503}])", anonymous).status, 400U);
  EXPECT_EQ(batch(batch_of(1)).status, 503U);
  EXPECT_EQ(call("/sim/faults", "", {.method = "DELETE"}).body, "[]");
  EXPECT_EQ(batch(batch_of(1)).status, 202U);
}

TEST_F(Api, control_lists_the_ledger) {
  (void)batch(batch_of(3));
  (void)call("/v4/events/hit-timer", R"({"label":"l","client":{"customId":"a b"}})");
  const auto get = [&](std::string_view target) {
    return call(target, "", {.method = "GET"}).body;
  };
  EXPECT_EQ(get("/sim/ledger?summary=1"),
            R"({"unique":4,"deliveries":4,"repetitions":0,"overwrites":0})");
  EXPECT_EQ(
      get("/sim/ledger?offset=1&limit=1"),
      R"({"unique":4,"deliveries":4,"repetitions":0,"overwrites":0,"entries":[{"salt":"1","time":"2025-06-01T10:00:00.000Z",)"
      R"("profile":"customId:c","action":"a","label":"l","count":1,"overwrites":0,"first_seq":2,"last_seq":2,"body":)" +
          event("1") + "}]}");
  EXPECT_THAT(get("/sim/ledger?profile=customId%3aa+b"), HasSubstr(R"("first_seq":4)"));
  EXPECT_THAT(get("/sim/ledger?profile=nobody"), EndsWith(R"("entries":[]})"));
  simdjson::dom::parser parser;
  simdjson::dom::array entries;
  const std::string all = get("/sim/ledger");
  ASSERT_EQ(parser.parse(all)["entries"].get(entries), simdjson::SUCCESS);
  EXPECT_EQ(entries.size(), 4U);
}

TEST_F(Api, control_shows_and_resets_statistics) {
  (void)batch(batch_of(3));
  const auto stats = [&] { return call("/sim/stats", "", {.method = "GET"}).body; };
  simdjson::dom::parser parser;
  const std::string before = stats();
  EXPECT_EQ(std::uint64_t(parser.parse(before)["requests"]["/v4/events/batch"]["202"]), 1U);
  EXPECT_EQ(std::uint64_t(parser.parse(before)["events"]), 3U);
  EXPECT_EQ(double(parser.parse(before)["batch_events"]["mean"]), 3.0);
  EXPECT_EQ(call("/sim/reset", "").status, 200U);
  const std::string after = stats();
  EXPECT_EQ(std::uint64_t(parser.parse(after)["requests_total"]), 0U);
  EXPECT_EQ(world_->ledger.summary().unique, 0U);
  EXPECT_EQ(call("/sim/nothing", "").status, 404U);
}

TEST(Wire, is_an_http_answer) {
  const Wire wire = to_wire({.status = 429, .body = "{}", .retry_after = "5"}, false, api_time);
  EXPECT_EQ(wire.text,
            "HTTP/1.1 429 Too Many Requests\r\nServer: synerise-sim\r\n"
            "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 2\r\n"
            "Content-Type: application/json\r\nRetry-After: 5\r\nConnection: close\r\n\r\n{}");
  EXPECT_EQ(wire.text.substr(wire.head_size), "{}");
  EXPECT_THAT(to_wire({}, true, WallTime(1'714'564'800'000ms)).text,
              testing::AllOf(StartsWith("HTTP/1.1 202 Accepted\r\n"),
                             HasSubstr("\r\nDate: Wed, 01 May 2024 12:00:00 GMT\r\n")));
}

}  // namespace
}  // namespace sluice::simulator

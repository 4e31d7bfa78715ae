#include "api_model.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include <sluice/base/assert.hpp>
#include <sluice/base/json_text.hpp>
#include <sluice/event/api_limits.hpp>
#include <sluice/event/kind.hpp>

#include "control.hpp"
#include "fields.hpp"
#include "wide_numbers.hpp"

namespace sluice::simulator {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view events_prefix = "/v4/events/";
constexpr std::string_view versioned_prefix = "/v4/";
constexpr std::string_view ai_events_prefix = "/v4/events/ai-compat/";
constexpr std::array<std::string_view, 3> other_prefixes{"/v4/clients", ai_events_prefix,
                                                         "/catalogs/bags/"};
// What a key may do. The real list is longer; the name for the events batch is not public, and
// invented here.
constexpr std::string_view invented_permission = "API_BATCH_EVENTS_CREATE";
constexpr std::array<std::string_view, 6> known_permissions{
    "API_CUSTOM_EVENTS_CREATE", invented_permission,
    "API_TRANSACTION_CREATE",   "API_BATCH_TRANSACTION_CREATE",
    "API_BATCH_CLIENT_CREATE",  "CATALOGS_ITEM_BATCH_CATALOG_CREATE"};
// What a slow or cut answer carries when it has no body of its own: it must have some to be slow
// with.
constexpr std::size_t filler_bytes = 1'024;

bool is_json(std::string_view content_type) {
  constexpr std::string_view json = "application/json";
  const std::string_view media_type = content_type.substr(0, content_type.find_first_of("; \t"));
  return std::ranges::equal(media_type, json, [](char c, char expected) {
    return (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) == expected;
  });
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view spaces = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(spaces), text.size()));
  return text.substr(0, text.find_last_not_of(spaces) + 1);
}

// Where the string ends that begins with the quote at `open`, in JSON that is known to be valid.
std::size_t closing_quote(std::string_view json, std::size_t open) {
  std::size_t at = open;
  std::size_t backslashes = 0;
  do {
    at = json.find('"', at + 1);
    backslashes = at - 1 - json.find_last_not_of('\\', at - 1);
  } while (backslashes % 2 == 1);
  return at;
}

// The items of a JSON array that is known to be valid, as they stand in the text.
void split_items(std::string_view array, std::vector<std::string_view>& items) {
  items.clear();
  std::size_t depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i < array.size(); ++i) {
    const char c = array[i];
    if (c == '"') {
      i = closing_quote(array, i);
    } else if (c == '[' || c == '{') {
      ++depth;
      start = depth == 1 ? i + 1 : start;
    }
    const bool closes = c == ']' || c == '}';
    if ((c == ',' && depth == 1) || (closes && depth == 1)) {
      items.push_back(trim(array.substr(start, i - start)));
      start = i + 1;
    }
    depth -= closes ? 1 : 0;
  }
}

std::optional<Violation> find_poison(dom::element item, const FaultPlan& plan) {
  for (const auto& poison : plan.poisons) {
    dom::element value;
    if (item.at_pointer(poison->pointer).get(value) != simdjson::SUCCESS) {
      continue;
    }
    std::string_view text;
    double number = 0;
    bool hit = false;
    if (value.get(text) == simdjson::SUCCESS) {
      hit = poison->equals == Scalar(std::string(text)) ||
            (!poison->contains.empty() && text.find(poison->contains) != text.npos);
    } else if (value.get(number) == simdjson::SUCCESS) {
      hit = poison->equals == Scalar(number);
    }
    if (hit) {
      Violation violation = violation_of(ErrorCode::poisoned, "is refused", value);
      violation.field = poison->pointer.substr(1);
      std::ranges::replace(violation.field, '/', '.');
      return violation;
    }
  }
  return std::nullopt;
}

Answer refuse_by(const Fault& fault, const FaultPlan& plan, std::string_view path, WallTime now) {
  Answer answer;
  if (fault.action == FaultAction::rate_limit) {
    answer = error_answer(429, "Too many requests", path, now);
    answer.retry_after = std::to_string(plan.wait_for_token.count());
  } else if (fault.action == FaultAction::revoke) {
    answer = error_answer(fault.status == 0 ? 401 : fault.status, "Access denied", path, now);
  } else if (fault.action == FaultAction::web_page) {
    answer = {.status = 200,
              .body = "<!DOCTYPE html><html><title>Sign in to the network</title></html>",
              .content_type = "text/html; charset=utf-8"};
  } else if (fault.action == FaultAction::error_object) {
    answer = error_answer(fault.status == 0 ? 400 : fault.status, "Injected by a fault", path, now);
    answer.status = 200;
  } else {
    answer = error_answer(fault.status, "Injected by a fault", path, now);
    answer.retry_after = fault.retry_after;
  }
  if (!fault.body.empty()) {
    answer.body = fault.body;
  }
  answer.content_type = fault.content_type.value_or(answer.content_type);
  return answer;
}

bool refuses(FaultAction action) {
  return action == FaultAction::status || action == FaultAction::revoke ||
         action == FaultAction::rate_limit || action == FaultAction::web_page ||
         action == FaultAction::error_object;
}

// What a fault does to the answer of a request that was carried out.
void distort(Answer& answer, const Fault& fault) {
  const auto milliseconds = [](double ms) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(ms * 1e6));
  };
  const auto give_body = [&] {
    answer.content_type = fault.content_type.value_or(answer.content_type);
    if (!fault.body.empty()) {
      answer.body = fault.body;
    } else if (answer.body.empty()) {
      answer.body = R"({"filler":")" + std::string(filler_bytes, '.') + R"("})";
    }
  };
  switch (fault.action) {
    case FaultAction::reset_after:
      answer.transmission = Transmission::reset;
      break;
    case FaultAction::hang:
      answer.delay += milliseconds(fault.hang_ms);
      break;
    case FaultAction::slow_body:
      give_body();
      answer.transmission = Transmission::slow;
      answer.slow_for = milliseconds(fault.slow_ms);
      break;
    case FaultAction::cut_body:
      give_body();
      answer.transmission = Transmission::cut;
      break;
    case FaultAction::malformed:
      answer.transmission = Transmission::garbage;
      break;
    default:
      break;
  }
}

}  // namespace

std::optional<ApiModel::Route> ApiModel::find_route(std::string_view path) {
  struct FixedRoute {
    std::string_view path;
    Route route;
  };
  using enum Endpoint;
  static constexpr std::array<FixedRoute, 5> routes{{
      {"/v4/transactions", {single, "POST", {}, true, Schema::transaction}},
      {api::login_path, {login, "POST", {}, false}},
      {"/v4/auth/login/profile", {login, "POST", {}, false}},
      {"/v4/auth/refresh/profile", {refresh, "GET", {}, true}},
      {"/uauth/api-key/permission-check", {permission_check, "POST", {}, true}},
  }};
  const auto kind = std::ranges::find(kinds(), path, &KindInfo::path);
  if (kind != kinds().end()) {
    return Route{batch, "POST", {}, true, kind->schema};
  }
  const auto found = std::ranges::find(routes, path, &FixedRoute::path);
  if (found != routes.end()) {
    return found->route;
  }
  if (std::ranges::any_of(other_prefixes, [&](auto prefix) { return path.starts_with(prefix); })) {
    return Route{other_service, "POST", {}, true};
  }
  const bool is_event = path.starts_with(events_prefix);
  const auto type =
      is_event ? event_type_from_path(path.substr(events_prefix.size())) : std::nullopt;
  return type ? std::optional(Route{single, "POST", type, true}) : std::nullopt;
}

Answer ApiModel::handle(const Request& request) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  if (path.starts_with(control_prefix)) {
    return answer_control(world_, request);
  }
  const std::optional<Route> route = find_route(path);
  Answer answer = answer_with_faults(request, path, route);
  const unsigned status = answer.transmission == Transmission::reset ? 0 : answer.status;
  // Paths that do not exist are without number, and so are those of other services.
  const bool is_listed = route && route->endpoint != Endpoint::other_service;
  const std::string_view label = is_listed ? path : "other";
  world_.book.update([&](Stats& stats) {
    auto by_path = stats.requests.find(label);
    if (by_path == stats.requests.end()) {
      by_path = stats.requests.try_emplace(std::string(label)).first;
    }
    ++by_path->second[status];
  });
  return answer;
}

Answer ApiModel::answer_with_faults(const Request& request, std::string_view path,
                                    const std::optional<Route>& route) {
  const FaultPlan plan = world_.faults.plan(path, request.mono_now);
  const Fault* fault = plan.decisive.get();
  Answer answer;
  if (fault != nullptr && refuses(fault->action)) {
    answer = refuse_by(*fault, plan, path, request.now);
  } else if (fault != nullptr && fault->action == FaultAction::reset_before) {
    answer.transmission = Transmission::reset;
  } else {
    answer = carry_out(request, path, route, plan);
    if (fault != nullptr) {
      distort(answer, *fault);
    }
  }
  answer.delay += plan.delay;
  answer.deprecated = plan.deprecated;
  return answer;
}

Answer ApiModel::carry_out(const Request& request, std::string_view path,
                           const std::optional<Route>& route, const FaultPlan& plan) {
  if (!route) {
    return error_answer(404, "no such endpoint", path, request.now);
  }
  if (std::optional<Answer> refused = refuse_head(request, path, *route)) {
    return std::move(*refused);
  }
  switch (route->endpoint) {
    case Endpoint::login:
      return log_in(request, path);
    case Endpoint::refresh:
      return issue_token(request.now);
    case Endpoint::permission_check:
      return tell_permissions(request, path);
    case Endpoint::other_service:
      return {};
    case Endpoint::batch:
      return take_batch(request, path, *route, plan);
    case Endpoint::single:
      return take_single(request, path, *route, plan);
  }
  std::unreachable();
}

std::optional<Answer> ApiModel::refuse_head(const Request& request, std::string_view path,
                                            const Route& route) const {
  if (request.method != route.method) {
    Answer answer = error_answer(405, "the method is not allowed", path, request.now);
    answer.allow = route.method;
    return answer;
  }
  // A tracker key stands for the credentials there.
  const bool has_tracker_key =
      path.starts_with(ai_events_prefix) && request.target.contains("?token=");
  if (route.authorized && !has_tracker_key) {
    if (std::optional<Answer> refused = refuse_authorization(request, path)) {
      return refused;
    }
  }
  const bool has_body = route.method == "POST" && route.endpoint != Endpoint::permission_check;
  if (has_body && !is_json(request.content_type)) {
    return error_answer(415, "Content-Type must be application/json", path, request.now);
  }
  if (!request.content_encoding.empty() && request.content_encoding != "identity") {
    return error_answer(415, "compressed requests are not taken", path, request.now);
  }
  if (path.starts_with(versioned_prefix) && request.api_version != api::version) {
    return error_answer(400, "the header Api-Version must be 4.4", path, request.now);
  }
  return std::nullopt;
}

std::optional<Answer> ApiModel::refuse_authorization(const Request& request,
                                                     std::string_view path) const {
  switch (world_.credentials.check(request.authorization, request.now)) {
    case Authorization::granted:
      return std::nullopt;
    case Authorization::missing:
      return error_answer(401, "the header Authorization is missing", path, request.now);
    case Authorization::invalid:
      return error_answer(401, "the credentials are not valid", path, request.now);
    case Authorization::expired:
      return error_answer(401, "The token has expired", path, request.now, "Token expired.");
  }
  std::unreachable();
}

Answer ApiModel::log_in(const Request& request, std::string_view path) {
  dom::element body;
  std::string_view api_key;
  if (parser_.parse(request.body).get(body) != simdjson::SUCCESS) {
    return error_answer(400, "the body is not valid JSON", path, request.now);
  }
  if (body["apiKey"].get(api_key) != simdjson::SUCCESS) {
    Violation violation = violation_of(ErrorCode::missing, "is required");
    violation.field = "apiKey";
    return violation_answer(violation, path, request.now);
  }
  if (!world_.credentials.knows_api_key(api_key)) {
    return error_answer(401, "the API key is not valid", path, request.now);
  }
  return issue_token(request.now);
}

Answer ApiModel::issue_token(WallTime now) {
  world_.book.update([](Stats& stats) { ++stats.logins; });
  return {.status = 200, .body = R"({"token":")" + world_.credentials.issue_token(now) + R"("})"};
}

// Of the names that are asked for; without a body, of all that are known.
Answer ApiModel::tell_permissions(const Request& request, std::string_view path) {
  std::vector<std::string_view> names(known_permissions.begin(), known_permissions.end());
  if (!request.body.empty()) {
    dom::array asked;
    if (parser_.parse(request.body).get(asked) != simdjson::SUCCESS) {
      return error_answer(400, "the body is not a JSON array of names", path, request.now);
    }
    names.clear();
    for (const dom::element item : asked) {
      std::string_view name;
      if (item.get(name) != simdjson::SUCCESS) {
        return error_answer(400, "a name is a string", path, request.now);
      }
      names.push_back(name);
    }
  }
  std::string body = R"({"businessProfileName":"Simulated workspace","permissions":{)";
  for (const std::string_view name : names) {
    const bool is_known = std::ranges::find(known_permissions, name) != known_permissions.end() &&
                          std::ranges::find(world_.options.denied_permissions, name) ==
                              world_.options.denied_permissions.end();
    body += body.back() == '{' ? "" : ",";
    append_json_string(body, name);
    body += is_known ? ":true" : ":false";
  }
  return {.status = 200, .body = body + "}}"};
}

simdjson::simdjson_result<dom::element> ApiModel::parse(const std::string& body) {
  auto parsed = parser_.parse(body);
  if (parsed.error() == simdjson::SUCCESS) {
    return parsed;
  }
  // It may be a number that simdjson cannot hold, for which its versions have different codes.
  narrowed_ = with_narrow_numbers(body);
  return parser_.parse(narrowed_);
}

Answer ApiModel::take_batch(const Request& request, std::string_view path, const Route& route,
                            const FaultPlan& plan) {
  const unsigned over_limit = world_.options.over_limit_status;
  if (request.body.size() > api::batch_bytes_max) {
    return error_answer(over_limit, "the body is larger than 1 MB", path, request.now);
  }
  dom::element root;
  dom::array items;
  if (parse(request.body).get(root) != simdjson::SUCCESS) {
    return error_answer(400, "the body is not valid JSON", path, request.now);
  }
  if (root.get(items) != simdjson::SUCCESS || items.size() == 0) {
    return error_answer(400, "the body must be an array of at least one object", path, request.now);
  }
  const std::size_t count = items.size();
  world_.book.update([&](Stats& stats) {
    stats.batch_events.add(count);
    stats.batch_bytes.add(request.body.size());
  });
  if (count > api::batch_events_max) {
    return error_answer(over_limit, "more than 1000 events", path, request.now);
  }

  arrivals_.clear();
  refusals_.clear();
  if (world_.ledger.mode() == LedgerMode::full) {
    split_items(request.body, bodies_);
    SLUICE_ASSERT(bodies_.size() == count);
  }
  std::size_t index = 0;
  for (const dom::element item : items) {
    std::expected<Arrival, Violation> taken = take_item(item, route, request.now, plan);
    if (taken) {
      taken->body = bodies_.empty() ? std::string_view() : bodies_[index];
      arrivals_.push_back(*taken);
    } else {
      refusals_.push_back({.index = index, .violation = std::move(taken.error())});
    }
    ++index;
  }
  if (refusals_.empty()) {
    record();
    return {};
  }
  const bool partial =
      world_.options.invalid_events == InvalidEvents::store_others && !arrivals_.empty();
  if (partial) {
    record();
  }
  world_.book.update([&](Stats& stats) { stats.events_refused += refusals_.size(); });
  return refusals_answer(partial ? 207 : 400, refusals_, path, request.now);
}

Answer ApiModel::take_single(const Request& request, std::string_view path, const Route& route,
                             const FaultPlan& plan) {
  if (request.body.size() > api::batch_bytes_max) {
    return error_answer(world_.options.over_limit_status, "the body is larger than 1 MB", path,
                        request.now);
  }
  dom::element item;
  if (parse(request.body).get(item) != simdjson::SUCCESS) {
    return error_answer(400, "the body is not valid JSON", path, request.now);
  }
  std::expected<Arrival, Violation> taken = take_item(item, route, request.now, plan);
  if (!taken) {
    world_.book.update([](Stats& stats) { ++stats.events_refused; });
    return violation_answer(taken.error(), path, request.now);
  }
  taken->body = request.body;
  arrivals_.assign(1, *taken);
  record();
  return {};
}

std::expected<Arrival, Violation> ApiModel::take_item(dom::element item, const Route& route,
                                                      WallTime now, const FaultPlan& plan) {
  const bool is_transaction = route.schema == Schema::transaction;
  if (!plan.poisons.empty()) {
    if (std::optional<Violation> violation = find_poison(item, plan)) {
      world_.faults.count_poisoned();
      return std::unexpected(std::move(*violation));
    }
  }
  if (world_.options.validation == Validation::none) {
    return is_transaction ? read_transaction(item, now) : read_event(item, route.type, now);
  }
  return is_transaction ? check_transaction(item, world_.options.validation, now)
                        : check_event(item, route.type, world_.options.validation, now);
}

void ApiModel::record() {
  const std::uint64_t conflicts = world_.ledger.record(arrivals_);
  const auto replaced =
      static_cast<std::uint64_t>(std::ranges::count(arrivals_, true, &Arrival::time_replaced));
  world_.book.update([&](Stats& stats) {
    stats.events_accepted += arrivals_.size();
    stats.future_times_replaced += replaced;
    stats.salt_conflicts += conflicts;
  });
}

}  // namespace sluice::simulator

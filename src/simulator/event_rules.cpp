#include <sluice/event/api_limits.hpp>

#include "fields.hpp"
#include "syntax.hpp"

namespace sluice::simulator {
namespace {

namespace dom = simdjson::dom;
using enum ErrorCode;

struct EventFields {
  Field type, action, label, client, time, salt, params;
};

// One pass over the event, instead of one per field.
EventFields read_fields(dom::object event) {
  EventFields fields;
  for (const auto [name, value] : event) {
    if (name == "type") {
      fields.type = value;
    } else if (name == "action") {
      fields.action = value;
    } else if (name == "label") {
      fields.label = value;
    } else if (name == "client") {
      fields.client = value;
    } else if (name == "time") {
      fields.time = value;
    } else if (name == "eventSalt") {
      fields.salt = value;
    } else if (name == "params") {
      fields.params = value;
    }
  }
  return fields;
}

Arrival to_arrival(const EventFields& fields, std::optional<EventType> type, WallTime now) {
  Arrival arrival;
  arrival.salt = text_of(fields.salt);
  const std::optional<WallTime> time = parse_time(text_of(fields.time));
  arrival.time_replaced = time && *time > now;
  arrival.time_is_own = time && !arrival.time_replaced;
  arrival.time = arrival.time_is_own ? *time : now;
  arrival.client = read_client(fields.client);
  arrival.action = type && *type != EventType::custom ? info(*type).action : text_of(fields.action);
  arrival.label = text_of(fields.label);
  return arrival;
}

Verdict check_action(const Field& action, EventType type) {
  if (type != EventType::custom) {
    return action ? violation_of(not_allowed, "only custom events carry an action", action)
                  : Verdict();
  }
  Verdict verdict = check_text(action);
  if (verdict) {
    return verdict;
  }
  const std::string_view text = text_of(action);
  if (text.size() > api::action_length_max) {
    return violation_of(invalid_value, "is longer than 32 characters", action);
  }
  if (!is_action(text)) {
    return violation_of(invalid_value, "may hold letters, digits, '.', '-' and '_' only", action);
  }
  if (text == "transaction.charge") {
    return violation_of(not_allowed, "transactions go to /v4/transactions", action);
  }
  return {};
}

// Params are free form: what they are asked to hold is the SDK's.
Verdict check_params(const EventFields& fields, const EventTypeInfo& type, Validation validation) {
  const bool strict = validation == Validation::strict;
  if (!fields.params) {
    return strict && type.params_required ? Verdict(violation_of(missing, "is required"))
                                          : Verdict();
  }
  dom::object params;
  if (fields.params->get(params) != simdjson::SUCCESS) {
    return violation_of(wrong_type, "must be an object", fields.params);
  }
  if (!strict) {
    return {};
  }
  Verdict verdict = check_required(params, type.required_params);
  const bool is_cart =
      type.type == EventType::added_to_cart || type.type == EventType::removed_from_cart;
  if (!verdict && is_cart) {
    verdict = check_optional_prices(params, {"discountedUnitPrice", "regularUnitPrice"});
  }
  if (verdict) {
    return verdict;
  }
  // A client known by another identifier may have any e-mail: only what can be compared is.
  const Field email = field_of(params, "email");
  const std::string_view client_email = email ? read_client(fields.client).email : "";
  if (!client_email.empty() && text_of(email) != client_email) {
    return within("email", violation_of(invalid_value, "differs from the client's e-mail", email));
  }
  return {};
}

Verdict check_fields(const EventFields& fields, EventType type, Validation validation) {
  Verdict verdict = within("action", check_action(fields.action, type));
  if (!verdict) {
    // One of the vendor's own examples has none.
    verdict = within("label", validation == Validation::strict ? check_text(fields.label)
                                                               : check_kind_of_text(fields.label));
  }
  if (!verdict) {
    verdict = within("client", check_client(fields.client, validation));
  }
  if (!verdict) {
    verdict = within("time", check_time(fields.time));
  }
  if (!verdict) {
    verdict = within("eventSalt", check_salt(fields.salt));
  }
  if (!verdict) {
    verdict = within("params", check_params(fields, info(type), validation));
  }
  return verdict;
}

std::optional<EventType> type_of(const Field& field, std::optional<EventType> path_type) {
  return path_type ? path_type : event_type_from_path(text_of(field));
}

}  // namespace

std::expected<Arrival, Violation> check_event(dom::element event,
                                              std::optional<EventType> path_type,
                                              Validation validation, WallTime now) {
  dom::object object;
  if (event.get(object) != simdjson::SUCCESS) {
    return std::unexpected(violation_of(wrong_type, "must be an object", event));
  }
  if (Verdict verdict = check_structure(event, validation)) {
    return std::unexpected(std::move(*verdict));
  }
  const EventFields fields = read_fields(object);
  const std::optional<EventType> type = type_of(fields.type, path_type);
  if (!type || (validation == Validation::strict && info(*type).deprecated)) {
    Violation violation =
        check_text(fields.type)
            .value_or(violation_of(invalid_value, "is not a known event type", fields.type));
    violation.field = "type";
    return std::unexpected(std::move(violation));
  }
  if (Verdict verdict = check_fields(fields, *type, validation)) {
    return std::unexpected(std::move(*verdict));
  }
  return to_arrival(fields, type, now);
}

Arrival read_event(dom::element event, std::optional<EventType> path_type, WallTime now) {
  dom::object object;
  if (event.get(object) != simdjson::SUCCESS) {
    return {.time = now};
  }
  const EventFields fields = read_fields(object);
  return to_arrival(fields, type_of(fields.type, path_type), now);
}

}  // namespace sluice::simulator

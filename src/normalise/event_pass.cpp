#include "event_pass.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#define XXH_INLINE_ALL  // identifiers and salts are short: a call would cost more than the hash
#include <xxhash.h>

#include <sluice/base/ascii.hpp>
#include <sluice/base/assert.hpp>
#include <sluice/event/api_limits.hpp>

#include "identifiers.hpp"
#include "limits.hpp"
#include "name_table.hpp"
#include "salt.hpp"
#include "time_fields.hpp"

namespace sluice::normalise {
namespace {

using Names = std::array<std::string_view, 7>;
enum EventField : unsigned { type, action, label, client, time, event_salt, params };
constexpr NameTable event_fields(Names{"type", "action", "label", "client", "time", "eventSalt",
                                       "params"});

// From the strongest identity to the weakest: an event that has several belongs to the lane of the
// first.
enum Identifier : int { id, custom_id, email, uuid };
constexpr NameTable identifiers(std::array<std::string_view, 4>{"id", "customId", "email", "uuid"});

enum Param : int {
  source,
  sku,
  name,
  quantity,
  final_unit_price,
  lat,
  lon,
  application_name,
  version,
  company_id,
  order_id,
  correlation_id,
  item,
  position,
  search_type,
  first_reserved,
  email_param = first_reserved + 6,
  original_time,
  regular_unit_price,
  discounted_unit_price,
};
constexpr std::array<std::string_view, 25> param_names{"source",
                                                       "sku",
                                                       "name",
                                                       "quantity",
                                                       "finalUnitPrice",
                                                       "lat",
                                                       "lon",
                                                       "applicationName",
                                                       "version",
                                                       "companyId",
                                                       "orderId",
                                                       "correlationId",
                                                       "item",
                                                       "position",
                                                       "searchType",
                                                       "modifiedBy",
                                                       "apiKey",
                                                       "eventUUID",
                                                       "ip",
                                                       "time",
                                                       "businessProfileId",
                                                       "email",
                                                       "originalTime",
                                                       "regularUnitPrice",
                                                       "discountedUnitPrice"};
constexpr NameTable known_params(param_names);

constexpr NameTable money_fields(std::array<std::string_view, 2>{"amount", "currency"});

constexpr std::uint32_t bit(unsigned field) { return 1U << field; }

// The required params of each type, a bit each.
const std::array<std::uint32_t, event_type_count>& required_params() {
  static const auto masks = [] {
    std::array<std::uint32_t, event_type_count> all{};
    for (const EventTypeInfo& entry : event_types()) {
      for (const std::string_view param : entry.required_params) {
        const int index = known_params.find(param);
        SLUICE_ASSERT(index >= 0 && index < first_reserved);
        all[static_cast<std::size_t>(entry.type)] |= bit(static_cast<unsigned>(index));
      }
    }
    return all;
  }();
  return masks;
}

constexpr std::array<std::string_view, 2> search_types{"full-text-search", "autocomplete"};
constexpr std::string_view one_of_search_types = "must be one of full-text-search, autocomplete";

constexpr FieldPath path_of_param(int param) {
  return {.root = "params", .name = param_names[static_cast<std::size_t>(param)]};
}

bool is_cart(EventType type) {
  return type == EventType::added_to_cart || type == EventType::removed_from_cart;
}

constexpr auto action_characters = [] {
  std::array<bool, 256> all{};
  for (unsigned c = 0; c < all.size(); ++c) {
    all[c] = c < 128 && (is_letter(static_cast<char>(c)) || is_digit(static_cast<char>(c)) ||
                         c == '.' || c == '-' || c == '_');
  }
  return all;
}();

bool is_action(std::string_view text) {
  return !text.empty() && text.size() <= api::action_length_max &&
         std::ranges::all_of(
             text, [](char c) { return action_characters[static_cast<unsigned char>(c)]; });
}

// Digits alone, with or without a sign: of a number that was read, or of a text.
bool is_integer(std::string_view number) {
  const std::string_view digits = number.substr(number.starts_with('-') ? 1 : 0);
  return !digits.empty() && std::ranges::all_of(digits, is_digit) &&
         (digits.size() == 1 || digits.front() != '0');
}

// Whether the string that begins at this quote can be blank: nearly none can.
bool may_be_blank(const char* quote) {
  return quote[1] == '"' || quote[1] == ' ' || quote[1] == '\t';
}

bool is_blank(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c == ' ' || c == '\t'; });
}

// Whether the inside of a JSON string stands for more bytes; its escapes only make it longer.
bool is_longer_than(std::string_view raw, std::size_t bytes_max) {
  if (raw.size() <= bytes_max) [[likely]] {
    return false;
  }
  std::string value;
  return !JsonWalker::unescape(raw, value) || value.size() > bytes_max;
}

// Without the white space around it; most texts have none.
std::string_view trim_identifier(std::string_view text, bool plain) {
  if (plain && !text.empty() && text.front() != ' ' && text.back() != ' ') {
    return text;
  }
  return trim(text);
}

// Writes the UTF-8 text as the inside of a JSON string (RFC 8259, 7).
char* escape(char* out, std::string_view utf8) {
  constexpr std::string_view short_forms = "\"\"\\\\\bb\ff\nn\rr\tt";
  for (const char c : utf8) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && c != '"' && c != '\\') {
      *out++ = c;
      continue;
    }
    *out++ = '\\';
    std::size_t at = 0;
    while (at < short_forms.size() && short_forms[at] != c) {
      at += 2;
    }
    if (at < short_forms.size()) {
      *out++ = short_forms[at + 1];
    } else {
      constexpr std::string_view digits = "0123456789abcdef";
      out = std::copy_n("u00", 3, out);
      *out++ = digits[byte >> 4];
      *out++ = digits[byte & 15];
    }
  }
  return out;
}

}  // namespace

std::string FieldPath::to_string() const {
  std::string path(root);
  if (position) {
    path += '[' + std::to_string(*position) + ']';
  }
  for (const std::string_view part : {name, leaf}) {
    if (!part.empty()) {
      path += '.';
      path += part;
    }
  }
  return path;
}

void EventPass::run() {
  if (walker_.peek() != '{') {
    refuse_value(RejectReason::not_an_object, {}, "an event is a JSON object");
    return;
  }
  Normalised& out = context_.out;
  // Output is at most as long as what is left of the input, plus a quarter where numbers become
  // strings (`"sku":1,` is the shortest that does), plus what is filled in: then no write of this
  // event has to look at the capacity again.
  start_ = out.size();
  out_ = out.reserve(walker_.bytes_left() + walker_.bytes_left() / 4 + output_slack_bytes);
  switch (context_.schema) {
    case Schema::event:
      return event();
    case Schema::transaction:
      return transaction();
  }
}

void EventPass::event() {
  type_member();
  if (info(type_).deprecated) {
    goes_on(Rule::type_deprecated, {.root = "type"},
            "only older clients send it: use `custom` with an `action`");
  }
  required_ = required_params()[static_cast<std::size_t>(type_)];
  *out_++ = '{';
  put("\"type\":\"");
  put(info(type_).path);
  *out_++ = '"';
  walker_.each_member([this](Text key) { event_member(key); });
  if (walker_.error == WalkError::none) {
    finish_event();
  }
}

// The type decides how the members are checked, so it is looked up before them, wherever it stands.
void EventPass::type_member() {
  if (context_.request.type) {
    type_ = *context_.request.type;
    type_known_ = true;
    return;
  }
  const std::optional<Text> given = walker_.find_string_member("type");
  if (!given) {
    reject(
        RejectReason::field_missing, {.root = "type"},
        "each event of a batch says its `type` as a string: `custom`, or the last part of its own "
        "endpoint's path, such as `added-to-cart`");
    return;
  }
  if (const auto known = event_type_from_path(given->raw)) {
    type_ = *known;
    type_known_ = true;
    return;
  }
  reject(RejectReason::type_unknown, {.root = "type"}, [&] {
    return "`" + std::string(given->raw.substr(0, 64)) +
           "` is no event type of the API: use `custom` with an `action`, or a type such as "
           "`product-view`";
  });
}

void EventPass::event_member(Text key_text) {
  if (walker_.skip_null()) {
    return;
  }
  const int found = find_field(event_fields, key_text);
  if (found == decltype(event_fields)::not_found) {
    unknown_member(FieldOf::event, key_text);
    key(key_text);
    out_ = walker_.copy_value(out_, 1);
    return;
  }
  const auto field = static_cast<EventField>(found);
  if (!first_time(field, event_fields.name(found))) {
    return;
  }
  switch (field) {
    case EventField::type: {
      const bool contradicts =
          context_.request.type &&
          (walker_.peek() != '"' || walker_.string_at_cursor() != info(type_).path);
      if (contradicts) {
        goes_on(Rule::type_of_path, {.root = "type"}, "contradicts the path, which counts");
      }
      walker_.skip_value(1);
      return;
    }
    case EventField::action:
      action_member();
      return;
    case EventField::label:
      label_member();
      return;
    case EventField::client:
      client_member();
      return;
    case EventField::time:
      time_member("time");
      return;
    case EventField::event_salt:
      salt_member();
      return;
    case EventField::params:
      params_member();
      return;
  }
}

void EventPass::action_member() {
  const bool is_string = walker_.peek() == '"';
  if (type_ != EventType::custom) {
    // The backend sets it; one that says the same does no harm and is left out.
    if (is_string && walker_.string_at_cursor() == info(type_).action) {
      walker_.skip_value(1);
      return;
    }
    goes_on(Rule::action_of_type, {.root = "action"},
            "the backend sets the action of events of this type: leave it out, or use the type "
            "`custom`");
    walker_.skip_value(1);
    return;
  }
  if (!is_string) {
    refuse_value(RejectReason::action_invalid, {.root = "action"}, "must be a string");
    return;
  }
  const Text text = walker_.read_string();
  if (!is_action(text.raw)) {
    reject(RejectReason::action_invalid, {.root = "action"},
           "must be 1 to 32 letters, digits, dots, hyphens or underscores");
    return;
  }
  if (is_same(text.raw, "transaction.charge")) {
    reject(
        RejectReason::transaction_as_event, {.root = "action"},
        "an event with this action creates no purchases: post the transaction to /v4/transactions");
    return;
  }
  const auto& allowed = context_.rules.actions;
  if (!allowed.empty() && std::ranges::find(allowed, text.raw) == allowed.end()) {
    reject(RejectReason::action_not_allowed, {.root = "action"}, [&] {
      return "`" + std::string(text.raw) +
             "` is not among the workspace's `actions`: mend the name, or add it to the "
             "configuration";
    });
    return;
  }
  action_ = text.raw;
  key("action");
  quoted(text.raw);
}

void EventPass::label_member() {
  if (walker_.peek() != '"') {
    key("label");
    labelled_ = number_as_text(Rule::string_as_number, {.root = "label"});
    if (!labelled_) {
      refuse_value(RejectReason::field_invalid, {.root = "label"}, "must be a string");
    }
    return;
  }
  if (may_be_blank(walker_.position()) && is_blank(walker_.string_at_cursor())) {
    walker_.skip_value(1);
    return;
  }
  key("label");
  out_ = walker_.copy_string(out_);
  labelled_ = true;
}

void EventPass::client_member() {
  if (walker_.peek() != '{') {
    refuse_value(RejectReason::field_invalid, {.root = "client"},
                 "must be an object of profile identifiers");
    return;
  }
  key("client");
  *out_++ = '{';
  walker_.each_member([this](Text key_text) {
    if (walker_.skip_null()) {
      return;
    }
    const int identifier = find_field(identifiers, key_text);
    if (identifier != decltype(identifiers)::not_found) {
      identifier_member(identifier);
      return;
    }
    unknown_member(FieldOf::client, key_text);
    key(key_text);
    out_ = walker_.copy_value(out_, 2);
  });
  *out_++ = '}';
}

void EventPass::identifier_member(int identifier) {
  const std::string_view name = identifiers.name(identifier);
  if ((identities_ & bit(static_cast<unsigned>(identifier))) != 0) {
    refuse_value(RejectReason::duplicate_field, {.root = "client", .name = name}, "occurs twice");
    return;
  }
  identities_ |= bit(static_cast<unsigned>(identifier));
  if (identifier == Identifier::id) {
    id_member();
    return;
  }
  if (walker_.peek() == '"') {
    identifier_text(identifier);
    return;
  }
  if (identifier == Identifier::custom_id) {
    key(name);
    const char* const written = out_ + 1;
    if (number_as_text(Rule::custom_id_as_number, {.root = "client", .name = name})) {
      if (!rejected_) {
        identify_profile(identifier, {written, out_ - 1});
      }
      return;
    }
  }
  refuse_value(RejectReason::identifier_invalid, {.root = "client", .name = name},
               "must be a string");
}

void EventPass::id_member() {
  constexpr FieldPath field{.root = "client", .name = "id"};
  constexpr std::string_view message =
      "must be a 64-bit integer (an identifier of your own goes into `customId`)";
  const char first = walker_.peek();
  std::string_view number;
  if (first == '-' || is_digit(first)) {
    number = walker_.read_scalar();
  } else if (first == '"') {
    const std::string_view text = walker_.read_string().raw;
    if (is_blank(text)) {
      identities_ &= ~bit(Identifier::id);  // no value is as good as no field
      return;
    }
    if (is_integer(text) && is_int64(text)) {
      if (!goes_on(Rule::id_as_string, field, message)) {
        return;
      }
      number = text;
    }
  } else {
    walker_.skip_value(2);
  }
  if (!is_int64(number)) {
    reject(RejectReason::identifier_invalid, field, message);
    return;
  }
  key("id");
  put(number);
  identify_profile(Identifier::id, number);
}

void EventPass::identifier_text(int identifier) {
  const std::string_view name = identifiers.name(identifier);
  const Text text = walker_.read_string();
  std::string_view value = text.raw;
  const bool plain = !text.escaped && is_plain_ascii(value.data(), value.size());
  if (!plain) {
    context_.scratch.clear();
    if (!JsonWalker::unescape(text.raw, context_.scratch)) {
      return;  // the walker has said so
    }
    value = context_.scratch;
  }
  const std::string_view trimmed = trim_identifier(value, plain);
  context_.out.tally.identifiers_trimmed += trimmed.size() != value.size() ? 1 : 0;
  if (trimmed.empty()) {
    identities_ &= ~bit(static_cast<unsigned>(identifier));  // no value is as good as no field
    return;
  }
  if (!plain && holds_forbidden_character(trimmed)) {
    reject(RejectReason::identifier_invalid, {.root = "client", .name = name},
           "holds a character that identifiers may not: a line break, NUL, U+2028, U+2029, U+00AD, "
           "U+FE00 to U+FE0F, or one beyond the basic plane (such as an emoji)");
    return;
  }
  if (!check_identifier(identifier, trimmed)) {
    return;
  }
  key(name);
  *out_++ = '"';
  const char* const written = out_;
  out_ = plain ? copy_blocks(out_, trimmed.data(), trimmed.size()) : escape(out_, trimmed);
  const std::string_view canonical(written, static_cast<std::size_t>(out_ - written));
  *out_++ = '"';
  if (identifier == Identifier::email) {
    client_email_ = canonical;
  }
  identify_profile(identifier, canonical);
}

bool EventPass::check_identifier(int identifier, std::string_view value) {
  if (identifier == Identifier::email && !is_email(value)) {
    constexpr FieldPath field{.root = "client", .name = "email"};
    constexpr std::string_view message = "is not an e-mail address";
    const std::size_t at = value.find('@');
    if (at != std::string_view::npos && at > 0 && at + 1 < value.size()) {
      return goes_on(Rule::email_form, field, message);
    }
    reject(RejectReason::identifier_invalid, field, message);
    return false;
  }
  return identifier != Identifier::uuid || is_uuid(value) ||
         goes_on(Rule::uuid_form, {.root = "client", .name = "uuid"},
                 "is not a UUID of 8-4-4-4-12 hexadecimal digits");
}

void EventPass::identify_profile(int identifier, std::string_view value) {
  if (identifier < profile_rank_) {
    profile_rank_ = identifier;
    profile_hash_ =
        XXH3_64bits_withSeed(value.data(), value.size(), static_cast<XXH64_hash_t>(identifier));
  }
}

void EventPass::time_member(std::string_view field) {
  const bool is_string = walker_.peek() == '"';
  const char* const token = walker_.position();
  Result<ParsedTime, TimeError> parsed = std::unexpected(TimeError::syntax);
  if (is_string) {
    const Text text = walker_.read_string();
    parsed = parse_time(text.raw);
    original_time_ = {token, text.raw.size() + 2};
  } else if (*token == '-' || (*token >= '0' && *token <= '9')) {
    original_time_ = walker_.read_scalar();
    if (const auto epoch = parse_epoch(original_time_)) {
      parsed = ParsedTime{.time = *epoch, .has_zone = true};
    }
  } else {
    refuse_value(RejectReason::time_invalid, {.root = field}, "must be a string or a number");
    return;
  }
  if (parsed && !parsed->has_zone) [[unlikely]] {
    parsed = with_zone(*parsed, field);
  }
  if (parsed && parsed->has_three_digit_seconds) [[unlikely]] {
    goes_on(Rule::time_three_digit_seconds, {.root = field},
            "has three digits for its seconds: write two, and a fraction behind a dot");
  }
  if (!parsed) {
    reject(RejectReason::time_invalid, {.root = field},
           "is not a time: use ISO 8601 with a zone, as in 2024-05-01T12:00:00Z, or seconds or "
           "milliseconds since 1970");
    return;
  }
  has_time_ = true;
  given_time_ms_ = parsed->time.time_since_epoch().count();
  key(field);
  time_value_ = out_;
  *out_++ = '"';
  const Request& request = context_.request;
  if (request.clamps_future &&
      parsed->time > request.received_at + context_.rules.future_tolerance) {
    put(context_.received_at_text);
    ++context_.out.tally.future_times_clamped;
  } else {
    out_ = parsed->is_canonical ? copy_blocks(out_, token + 1, time_text_size)
                                : format_time(parsed->time, out_);
    original_time_ = {};
  }
  *out_++ = '"';
}

// Reads the local time in the workspace's zone.
Result<ParsedTime, TimeError> EventPass::with_zone(ParsedTime local, std::string_view field) {
  goes_on(Rule::time_without_zone, {.root = field},
          "has no zone: add `Z` or an offset, as in 2024-05-01T12:00:00+02:00");
  const auto time = in_range(context_.rules.time_zone.to_utc(local.time));
  if (!time) {
    return std::unexpected(time.error());
  }
  local.time = *time;
  local.is_canonical = false;
  return local;
}

void EventPass::salt_member() {
  constexpr FieldPath field{.root = "eventSalt"};
  constexpr std::string_view message =
      "must be a string of 1 to 256 bytes; left out, one is generated";
  const bool is_string = walker_.peek() == '"';
  const std::string_view given =
      is_string ? walker_.string_at_cursor() : walker_.number_at_cursor();
  if (is_string && given.empty()) {
    goes_on(Rule::salt_empty, field, message);
    walker_.skip_value(1);
    return;
  }
  if (given.empty()) {
    refuse_value(RejectReason::field_invalid, field, message);
    return;
  }
  if (is_longer_than(given, api::event_salt_length_max)) {
    goes_on(Rule::salt_long, field, message);
  }
  key("eventSalt");
  const char* const written = out_;
  if (is_string) [[likely]] {
    out_ = walker_.copy_string(out_);
  } else if (!number_as_text(Rule::string_as_number, field)) {
    refuse_value(RejectReason::field_invalid, field, message);
    return;
  }
  salt_ = {written, static_cast<std::size_t>(out_ - written)};
  has_salt_ = true;
}

// How PHP writes an object without members.
bool EventPass::empty_list(std::string_view field) {
  if (!walker_.is_empty_list()) {
    return false;
  }
  if (goes_on(Rule::empty_list, {.root = field}, "must be an object: `{}` when it is empty")) {
    key(field);
    put("{}");
  }
  walker_.skip_value(1);
  return true;
}

void EventPass::params_member() {
  if (walker_.peek() != '{') {
    if (!empty_list("params")) {
      refuse_value(RejectReason::field_invalid, {.root = "params"}, "must be an object");
    }
    free_form_end_ = out_ - 1;
    return;
  }
  key("params");
  *out_++ = '{';
  walker_.each_member([this](Text key_text) { param(key_text); });
  free_form_end_ = out_;
  *out_++ = '}';
}

void EventPass::param(Text key_text) {
  if (walker_.skip_null()) {
    return;
  }
  const int known = find_field(known_params, key_text);
  if (known >= first_reserved && known < email_param) {
    walker_.skip_value(2);
    ++context_.out.tally.reserved_params_dropped;
    return;
  }
  key(key_text);
  if (known == email_param) {
    const std::uint32_t* const mark = walker_.mark();
    params_email_ = walker_.peek() == '"' ? walker_.read_string() : Text{};
    walker_.rewind(mark);
  } else if (known == original_time) {
    has_original_time_ = true;
  } else if (known > original_time && is_cart(type_)) {
    money(path_of_param(known), 3);
    return;
  } else if (known >= 0 && known < first_reserved) {
    const std::uint32_t mask = bit(static_cast<unsigned>(known));
    if ((required_ & mask) != 0) {
      if ((params_seen_ & mask) != 0 &&
          !goes_on(Rule::param_twice, path_of_param(known), "occurs twice")) {
        walker_.skip_value(2);
        return;
      }
      params_seen_ |= mask;
      copy_required_param(known);
      return;
    }
  }
  out_ = walker_.copy_value(out_, 2);
}

// Checks and copies a param that the type requires.
void EventPass::copy_required_param(int known) {
  const FieldPath field = path_of_param(known);
  switch (known) {
    case source:
      one_of(field, event_sources(), Rule::source_unknown, one_of_sources);
      return;
    case search_type:
      one_of(field, search_types, Rule::param_form, one_of_search_types);
      return;
    case final_unit_price:
      money(field, 3);
      return;
    case quantity:
    case lat:
    case lon:
    case company_id:
      number_value(field);
      return;
    case position:
      position_value(field);
      return;
    default:
      text_value(field);
  }
}

void EventPass::finish_event() {
  if (!type_known_) {
    return;  // what else it must have depends on its type
  }
  if (type_ == EventType::custom && (seen_ & bit(EventField::action)) == 0) {
    reject(RejectReason::field_missing, {.root = "action"}, "a custom event says its `action`");
  }
  if (identities_ == 0 && !rejected_) {
    reject(RejectReason::client_missing, {.root = "client"}, [this] { return no_identifier(); });
  }
  check_required_params();
  check_params_email();
  if (rejected_) {
    return;
  }
  if (type_ != EventType::custom) {
    action_ = info(type_).action;
  }
  if (!labelled_) {
    key("label");
    quoted(action_);
  }
  finish("time");
}

// The upstream compares the two as they are: an address with space around it is another one.
void EventPass::check_params_email() {
  if (client_email_.empty() || !params_email_) {
    return;
  }
  const auto value_of = [](std::string_view raw, std::string& out) {
    JsonWalker::unescape(raw, out);  // valid, as both have been written
    return std::string_view(out);
  };
  std::string given;
  std::string client;
  if (params_email_->raw != client_email_ &&
      value_of(params_email_->raw, given) != value_of(client_email_, client)) {
    goes_on(Rule::email_differs, {.root = "params", .name = "email"},
            "is not the profile's `client.email`: make them equal, without space around them, or "
            "leave this one out");
  }
}

void EventPass::check_required_params() {
  if (!info(type_).params_required) {
    return;
  }
  if ((seen_ & bit(EventField::params)) == 0 &&
      goes_on(Rule::params_missing, {.root = "params"},
              "events of this type carry the object `params`")) {
    key("params");
    put("{}");
    free_form_end_ = out_ - 1;
  }
  const std::uint32_t missing = required_ & ~params_seen_;
  for (unsigned param_index = 0; missing >> param_index != 0; ++param_index) {
    if ((missing & bit(param_index)) != 0) {
      goes_on(Rule::param_missing, path_of_param(static_cast<int>(param_index)),
              "events of this type carry it");
    }
  }
}

// Puts the time that was clamped at the end of params (or metadata), which may be behind us
// already.
void EventPass::insert_original_time() {
  if (has_original_time_) {
    return;
  }
  const bool is_event = context_.schema == Schema::event;
  if (free_form_end_ == nullptr) {
    key(is_event ? "params" : "metadata");
    put("{}");
    free_form_end_ = out_ - 1;
  }
  constexpr std::string_view name = "\"originalTime\":";
  const std::size_t comma = free_form_end_[-1] == '{' ? 0 : 1;
  const std::size_t added = comma + name.size() + original_time_.size();
  std::memmove(free_form_end_ + added, free_form_end_,
               static_cast<std::size_t>(out_ - free_form_end_));
  if (!salt_.empty() && salt_.data() > free_form_end_) {
    salt_ = {salt_.data() + added, salt_.size()};
  }
  char* at = free_form_end_;
  if (comma != 0) {
    *at++ = ',';
  }
  at = std::copy(name.begin(), name.end(), at);
  std::copy(original_time_.begin(), original_time_.end(), at);
  out_ += added;
}

// Of what goes upstream but the time, which may be clamped at one arrival and not at the next. What
// time it was sent with belongs to its identity.
void EventPass::hash_content() {
  constexpr std::size_t size = time_text_size + 2;
  const char* const begin = context_.out.bytes().data() + start_;
  std::array<char, size> kept;  // NOLINT(cppcoreguidelines-pro-type-member-init): written below
  std::memcpy(kept.data(), time_value_, size);
  std::memset(time_value_, 0, size);
  content_hash_ = XXH3_64bits(begin, static_cast<std::size_t>(out_ - begin));
  std::memcpy(time_value_, kept.data(), size);
}

void EventPass::finish_time_and_salt(std::string_view time_name) {
  if (!has_time_) {
    key(time_name);
    time_value_ = out_;
    quoted(context_.received_at_text);
  }
  if (has_salt_) {
    return;
  }
  const std::string_view idempotency_key = context_.request.idempotency_key;
  if (!context_.rules.generated_salts && idempotency_key.empty()) {
    return;
  }
  key("eventSalt");
  *out_++ = '"';
  if (idempotency_key.empty()) {
    out_ = write_random_salt(out_, context_.request.received_at, context_.rng);
  } else {
    char* const written = out_;
    out_ = write_derived_salt(out_, idempotency_key, index_);
    salt_ = {written, salt_length};
  }
  *out_++ = '"';
}

// Nearly every event is too small to be over a limit, which its extent tells: a key takes at least
// four tokens, with the colon, its value, and the comma or bracket before it. Only what may be over
// one is walked again.
bool EventPass::check_limits() {
  constexpr std::size_t tokens_of_key = 4;
  const Rules& rules = context_.rules;
  if (walker_.tokens_since(first_token_) <= rules.event_keys_max * tokens_of_key &&
      walker_.bytes_since(first_token_) <= rules.string_bytes_max) [[likely]] {
    return true;
  }
  auto over = find_over_limit(walker_, first_token_, rules);
  if (!over) {
    return true;
  }
  over->index = index_;
  context_.out.reject(*std::move(over), !std::exchange(rejected_, true));
  return false;
}

void EventPass::finish(std::string_view time_name) {
  finish_time_and_salt(time_name);
  if (!salt_.empty()) {
    hash_content();
  }
  if (!original_time_.empty()) {
    insert_original_time();
  }
  *out_++ = '}';
  Normalised& out = context_.out;
  const char* const begin = out.bytes().data() + start_;
  const auto size = static_cast<std::size_t>(out_ - begin);
  if (size > context_.rules.event_bytes_max) {
    reject(RejectReason::event_too_large, {}, [&] {
      return "is " + std::to_string(size) + " bytes, above the limit of " +
             std::to_string(context_.rules.event_bytes_max) + ": send less in it";
    });
    return;
  }
  if (!check_limits()) {
    return;
  }
  if (start_ + size > context_.rules.request_bytes_max) {
    reject(RejectReason::event_too_large, {}, [&] {
      return "is behind more than " + std::to_string(context_.rules.request_bytes_max) +
             " bytes of events: send fewer in one request";
    });
    return;
  }
  out.records.push_back({.offset = static_cast<std::uint32_t>(start_),
                         .size = static_cast<std::uint32_t>(size),
                         .profile_hash = profile_hash_,
                         .kind = context_.request.kind});
  out.indexes.push_back(index_);
  std::optional<DedupKey> dedup;
  if (!salt_.empty()) {
    const std::uint64_t what = XXH3_64bits_withSeed(action_.data(), action_.size(), profile_hash_);
    const std::uint64_t identity = XXH3_64bits_withSeed(
        salt_.data(), salt_.size(),
        what + 0x9E3779B97F4A7C15ULL * static_cast<std::uint64_t>(given_time_ms_));
    dedup = DedupKey{.identity = identity, .content = content_hash_};
  }
  out.dedup_keys.push_back(dedup);
  out.commit(out_);
}

// `depth`: of the amount's members.
bool EventPass::money(FieldPath field, std::size_t depth) {
  if (walker_.peek() != '{') {
    other_kind(field, "must be an object {amount, currency}");
    return true;
  }
  *out_++ = '{';
  std::optional<bool> above_zero;
  bool has_currency = false;
  walker_.each_member([&](Text key_text) {
    if (walker_.skip_null()) {
      return;
    }
    key(key_text);
    if (is_same(key_text.raw, "amount")) {
      field.leaf = "amount";
      above_zero = amount(field);
    } else if (is_same(key_text.raw, "currency")) {
      field.leaf = "currency";
      has_currency = true;
      currency(field);
    } else {
      if (key_text.escaped) {
        find_field(money_fields, key_text);
      }
      out_ = walker_.copy_value(out_, depth);
    }
  });
  *out_++ = '}';
  if (walker_.error != WalkError::none) {
    return true;
  }
  if (!above_zero) {
    field.leaf = "amount";
    goes_on(Rule::price_incomplete, field, "must be there, as a number");
  }
  if (!has_currency) {
    field.leaf = "currency";
    goes_on(Rule::price_incomplete, field, "must be there, as a code such as EUR");
  }
  return above_zero.value_or(true);
}

bool EventPass::amount(FieldPath field) {
  const char* const written = out_;
  number_value(field);
  std::string_view number(written, static_cast<std::size_t>(out_ - written));
  number.remove_prefix(number.starts_with('"') ? 1 : 0);
  // Zero is a number without a digit from 1 before its exponent, if it has one.
  const auto first = std::ranges::find_if(
      number, [](char c) { return (c >= '1' && c <= '9') || c == 'e' || c == 'E'; });
  const bool zero = first == number.end() || *first > '9';
  if (!zero && number.starts_with('-')) {
    goes_on(Rule::amount_negative, field, "must be at least 0");
  }
  return !zero;
}

void EventPass::currency(FieldPath field) {
  const bool is_string = walker_.peek() == '"';
  const char* const written = out_ + 1;
  text_value(field);
  const std::string_view given =
      is_string && out_ > written
          ? std::string_view(written, static_cast<std::size_t>(out_ - 1 - written))
          : std::string_view{};
  if (currency_.empty()) {
    currency_ = given;
  } else if (context_.schema == Schema::transaction && !is_same(given, currency_)) {
    goes_on(Rule::currency_differs, field,
            "differs from the first amount's: a transaction has one currency");
  }
}

void EventPass::one_of(FieldPath field, std::span<const std::string_view> allowed, Rule rule,
                       std::string_view message) {
  if (walker_.peek() != '"') {
    other_kind(field, message);
    return;
  }
  const char* const written = out_ + 1;
  out_ = walker_.copy_string(out_);
  const std::string_view given(written, static_cast<std::size_t>(out_ - 1 - written));
  if (std::ranges::none_of(allowed, [&](std::string_view one) { return is_same(one, given); })) {
    goes_on(rule, field, message);
  }
}

void EventPass::text_value(FieldPath field) {
  constexpr std::string_view message = "must be a string that is not empty";
  if (walker_.peek() != '"') {
    if (!number_as_text(Rule::string_as_number, field)) {
      other_kind(field, message);
    }
    return;
  }
  if (may_be_blank(walker_.position()) && is_blank(walker_.string_at_cursor())) {
    doubtful_text(Rule::text_blank, field, message);
    return;
  }
  out_ = walker_.copy_string(out_);
}

void EventPass::position_value(FieldPath field) {
  constexpr std::string_view message = "must be a whole number from 1";
  const char first = walker_.peek();
  if (first >= '1' && first <= '9' && is_int64(walker_.number_at_cursor())) {
    put(walker_.read_scalar());
  } else if (first == '"' && is_integer(walker_.string_at_cursor())) {
    doubtful_text(Rule::number_as_string, field, message);
  } else {
    other_kind(field, message);
  }
}

void EventPass::number_value(FieldPath field) {
  constexpr std::string_view message = "must be a number";
  const char first = walker_.peek();
  if (first == '-' || is_digit(first)) {
    put(walker_.read_scalar());
  } else if (first == '"' && JsonWalker::is_number(walker_.string_at_cursor())) {
    doubtful_text(Rule::number_as_string, field, message);
  } else {
    other_kind(field, message);
  }
}

bool EventPass::number_as_text(Rule rule, FieldPath field) {
  const std::string_view number = walker_.number_at_cursor();
  if (number.empty()) {
    return false;
  }
  if (goes_on(rule, field, "must be a string")) {
    quoted(number);
  }
  walker_.skip_token();
  return true;
}

void EventPass::doubtful_text(Rule rule, FieldPath field, std::string_view message) {
  if (goes_on(rule, field, message)) {
    out_ = walker_.copy_string(out_);
  } else {
    walker_.skip_value(1);
  }
}

void EventPass::other_kind(FieldPath field, std::string_view message) {
  const bool in_params = context_.schema == Schema::event;
  if (!in_params || strict()) {
    refuse_value(RejectReason::field_invalid, field, message);
    return;
  }
  goes_on(Rule::param_form, field, message);
  out_ = walker_.copy_value(out_, field.leaf.empty() ? 2 : 3);
}

void EventPass::unknown_product_member(FieldPath product, Text name) {
  const FieldHint hint = name.escaped ? FieldHint() : hint_for(FieldOf::product, name.raw);
  if (!hint.meant.empty()) {
    product.name = name.raw;
    goes_on(Rule::field_misnamed, product, hint.message);
  }
}

void EventPass::unknown_member(FieldOf parent, Text name) {
  const FieldHint hint = name.escaped ? FieldHint() : hint_for(parent, name.raw);
  if (hint.meant.empty()) {
    return;
  }
  if (parent == FieldOf::client) {
    misnamed_identifier_ = name.raw;
    meant_identifier_ = hint.meant;
    goes_on(Rule::field_misnamed, {.root = "client", .name = name.raw}, hint.message);
  } else {
    goes_on(Rule::field_misnamed, {.root = name.raw}, hint.message);
  }
}

std::string EventPass::no_identifier() const {
  std::string message =
      "no profile identifier: give at least one of `id`, `customId`, `uuid`, `email`";
  if (!misnamed_identifier_.empty()) {
    message.append(": `").append(misnamed_identifier_).append("` is none, did you mean `");
    message.append(meant_identifier_).append("`?");
  }
  return message;
}

bool EventPass::goes_on(Rule rule, FieldPath field, std::string_view message) {
  if (strict()) {
    reject(info(rule).reason, field, message);
    return false;
  }
  if (Warning* const listed = context_.out.warn(rule)) {
    listed->index = index_;
    listed->field = field.to_string();
    listed->message = message;
  }
  return true;
}

void EventPass::reject(RejectReason reason, FieldPath field, std::string_view message) {
  const bool first = !std::exchange(rejected_, true);
  Normalised& out = context_.out;
  if (out.lists_more()) {
    out.reject({.index = index_,
                .reason = reason,
                .field = field.to_string(),
                .message = std::string(message)},
               first);
  } else {
    out.reject({.index = index_, .reason = reason, .field = {}, .message = {}}, first);
  }
}

void EventPass::refuse_value(RejectReason reason, FieldPath field, std::string_view message) {
  reject(reason, field, message);
  walker_.skip_value(1);
}

}  // namespace sluice::normalise

#include "keys.hpp"
#include "kinds.hpp"

// The keys of mapping rules. They become no members of a section, but parts of rules, which
// values.cpp and sources.cpp read and mapping_text.cpp prints: their rows say the rest.
namespace sluice::config {
namespace {

struct Row {
  std::string_view name;
  std::string schema;
  std::string_view meaning;
  bool is_required = false;
};

Keys keys_in(std::string_view section, std::string_view shape, const std::vector<Row>& rows) {
  std::vector<KeyInfo> infos;
  infos.reserve(rows.size());
  for (const Row& row : rows) {
    infos.push_back({.name = std::string(row.name),
                     .schema = row.schema,
                     .meaning = std::string(row.meaning),
                     .is_required = row.is_required});
  }
  return {section, shape, std::move(infos)};
}

std::string list_of(std::string_view type) {
  return fmt::format(R"("type": "array", "minItems": 1, "items": {{{}}})", defined(type));
}

std::string one_or_list_of(std::string_view type, std::string_view or_else = "") {
  return fmt::format(R"("anyOf": [{0}{{{1}}}, {{"type": "array", "items": {{{1}}}}}])", or_else,
                     defined(type));
}

constexpr std::string_view any_json_type =
    R"("type": ["string", "number", "boolean", "object", "array"])";
constexpr std::string_view profile_type =
    R"("anyOf": [{"$ref": "#/$defs/client"}, {"$ref": "#/$defs/value"}])";
constexpr std::string_view text_type = R"("type": "string")";

Keys rule_keys() {
  return keys_in(
      "rule",
      R"("type": "object", "oneOf": [{"required": ["event"]}, {"required": ["transaction"]}, )"
      R"({"required": ["ignore"]}])",
      {
          {"when", one_or_list_of("condition", R"({"type": "null"}, )"),
           "All must hold; left out: always"},
          {"event", defined("event"), "What it makes, when it is an event"},
          {"transaction", defined("transaction"), "What it makes, when it is a transaction"},
          {"ignore", defined("boolean"), "true: what fits is taken, and nothing is made of it"},
      });
}

Keys condition_keys() {
  return keys_in(
      "condition",
      R"("description": "One test of one raw value; texts and numbers are compared by their )"
      R"(text", "type": "object", "minProperties": 2, "maxProperties": 3)",
      {
          {"from", defined("pointer"), "The raw value that is tested", true},
          {"exists", defined("boolean"), "true: it is there and not null; false: it is not"},
          {"equals", defined("text"), "It is this text, number or boolean"},
          {"not_equals", defined("text"), "It is another one, or not there"},
          {"in", list_of("text"), "It is one of these"},
          {"not_in", list_of("text"), "It is none of these, or not there"},
          {"prefix", defined("text"), "It begins with this text"},
          {"below", defined("text"), "It is a number below this one"},
          {"above", defined("text"), "It is a number above this one"},
          {"literal", defined("boolean"),
           "true: pointer and texts are meant as they are written, whatever they look like"},
      });
}

Keys event_keys() {
  return keys_in("event",
                 R"("type": "object", "anyOf": [{"required": ["action"]}, {"required": ["type"]}])",
                 {
                     {"type", defined("spec"), "Of the API; left out: custom"},
                     {"action", defined("spec"), "Of a custom event"},
                     {"label", defined("spec"), "The event's label", true},
                     {"client", std::string(profile_type), "The profile that it belongs to", true},
                     {"time", defined("spec"), "When it happened; left out, it is the arrival"},
                     {"eventSalt", defined("spec"),
                      "Only from fields that identify the event; left out, one is generated"},
                     {"params", defined("members"), "What else there is to say of it"},
                 });
}

Keys transaction_keys() {
  return keys_in(
      "transaction", R"("type": "object")",
      {
          {"client", std::string(profile_type), "The profile that it belongs to", true},
          {"orderId", defined("spec"), "The order's identifier", true},
          {"products", defined("spec"), "The list of what was bought", true},
          {"revenue", defined("spec"), "An object with amount and currency", true},
          {"value", defined("spec"), "An object with amount and currency", true},
          {"paymentInfo", defined("spec"), "An object with the method of payment", true},
          {"source", defined("spec"), "Where it was bought, such as WEB_DESKTOP", true},
          {"discountAmount", defined("spec"), "An object with amount and currency"},
          {"metadata", defined("members"), "What else there is to say of it"},
          {"recordedAt", defined("spec"), "When it happened; left out, it is the arrival"},
          {"eventSalt", defined("spec"),
           "Only from fields that identify the transaction; left out, one is generated"},
      });
}

Keys client_keys() {
  return keys_in("client",
                 R"("description": "The profile; at least one identifier", "type": "object", )"
                 R"("minProperties": 1)",
                 {
                     {"id", defined("spec"), "Synerise's own number of the profile"},
                     {"customId", defined("spec"), "Its identifier in another system"},
                     {"uuid", defined("spec"), "Its UUID"},
                     {"email", defined("spec"), "Its address"},
                 });
}

Keys value_keys() {
  return keys_in(
      "value",
      R"("description": "Where a value of the event comes from", "type": "object", "oneOf": )"
      R"([{"required": ["value"]}, {"required": ["from"]}, {"required": ["template"]}, )"
      R"({"required": ["object"]}, {"required": ["array"]}, {"required": ["each"]}], )"
      R"("dependentRequired": {"each": ["item"], "item": ["each"], "zone": ["format"]})",
      {
          {"value", std::string(any_json_type), "A constant: any YAML but null"},
          {"from", defined("pointer"), "A value of the raw event"},
          {"template", std::string(text_type),
           "{/pointer} stands for a value, {{ and }} for braces"},
          {"object",
           R"("type": ["object", "null"], "additionalProperties": {"$ref": "#/$defs/spec"})",
           "An object with these members"},
          {"array", R"("type": ["array", "null"], "items": {"$ref": "#/$defs/spec"})",
           "A list of these values"},
          {"each", defined("pointer"), "One item for each element of this array"},
          {"item", defined("spec"), "Its pointers start at the element"},
          {"type", one_of(value_type_names).schema(),
           "What it becomes, or the raw event is rejected"},
          {"required", defined("boolean"), "A raw event without it is rejected"},
          {"default", std::string(any_json_type), "Any YAML but null"},
          {"format", std::string(text_type), "Of a time, as strptime: %Y-%m-%d %H:%M:%S"},
          {"zone", std::string(text_type),
           "An IANA name; left out: UTC, or what the format reads with %z"},
          {"null_if", one_or_list_of("text"),
           "Texts that stand for no value; left out: 0 and \"\" for the members of client, none "
           "for others"},
          {"literal", defined("boolean"),
           "true: constants and pointers are meant as they are written, whatever they look like"},
      });
}

}  // namespace

std::vector<Keys> mapping_keys() {
  std::vector<Keys> all;
  for (Keys (*keys)() :
       {rule_keys, condition_keys, event_keys, transaction_keys, client_keys, value_keys}) {
    all.push_back(keys());
  }
  return all;
}

}  // namespace sluice::config

// The rules of a mapped source, as a value: what the configuration says of how a raw event becomes
// an event of the API. Made by `config`, compiled and run by `Mapper` (mapper.hpp). docs/mapping.md
// is the guide for users.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <sluice/event/group.hpp>

namespace sluice::mapping {

// What a value must be in the event; a raw value that can be converted without loss is.
enum class ValueType : std::uint8_t {
  any,      // as it comes
  string,   // numbers and booleans become their text
  number,   // a string that is a JSON number becomes that number, digit for digit
  integer,  // likewise, without fraction or exponent
  boolean,  // "true"/"false", 1/0
};

struct Value;
struct Member;

struct Constant {
  std::string json;  // compact JSON text
};
struct From {
  std::string pointer;  // JSON Pointer, RFC 6901, into the raw event
};
struct Template {
  std::string text;  // "{/InvoiceNo}-{/LineNo}"; `{{` and `}}` are literal braces
};
struct Object {
  std::vector<Member> members;  // in the order of the output
};
struct Array {
  std::vector<Value> items;
};
struct Each {
  std::string pointer;                // to an array in the raw event
  std::unique_ptr<const Value> item;  // made once per element; its pointers start at the element
};

// How a time is written in the raw event, where it is not one of the forms that the API's `time`
// takes.
struct TimeFormat {
  std::string format;  // strptime-like, as in Howard Hinnant's date library: "%m/%d/%y %H:%M"
  std::string zone;    // IANA name; empty: UTC, or the offset that the format reads with %z
};

// How one value of the event comes about. A value that is absent (or null) in the raw event, and
// has no default, is left out of the event, or rejects it when it is required.
struct Value {
  std::variant<Constant, From, Template, Object, Array, Each> source;
  ValueType type = ValueType::any;
  bool required = false;
  std::optional<std::string> default_json;  // compact JSON text
  std::optional<TimeFormat> time;
  // Texts of raw values (of each, in a template) that stand for none, and make it absent; numbers
  // are compared by what they say: "0" is 0.0 as well. Nothing: as is usual for the member.
  std::optional<std::vector<std::string>> null_if;
  bool literal = false;  // constants and pointers are meant as they are written, whatever they seem
};

// One member of an object that is made.
struct Member {
  std::string name;
  Value value;
};

// One condition of a rule, on one raw value. `equals` and `in` compare strings and numbers by their
// text.
struct Condition {
  enum class Test : std::uint8_t { exists, absent, in, not_in, prefix, below, above };
  std::string pointer;
  Test test = Test::exists;
  std::vector<std::string> operands{};  // texts for in, not_in, prefix; one number for below, above
  bool literal = false;                 // as of a value
};

// The first rule whose conditions all hold makes the event, or leaves it at that.
struct Rule {
  std::vector<Condition> when{};  // empty: always
  EventKind kind{};
  Object shape{};       // the members of the event
  bool ignore = false;  // makes nothing, and that is no mistake: the shape is empty
};

struct Source {
  std::string name;
  std::string workspace;
  std::vector<Rule> rules;
  bool ignore_unmatched = false;  // a raw event that no rule fits is ignored, not rejected
  unsigned success_status = 202;  // of the answer to a request that is taken
};

}  // namespace sluice::mapping

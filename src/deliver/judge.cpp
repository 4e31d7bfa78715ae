#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <simdjson.h>

#include <sluice/base/ascii.hpp>
#include <sluice/deliver/judge.hpp>

namespace sluice::deliver {
namespace {

using simdjson::SUCCESS;
using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

// What an entry of a list says of its event.
enum class Verdict : std::uint8_t {
  accepted,
  refused,  // for its content
  failed,   // for another reason: it may be accepted another time
  silent,   // nothing
  unclear,  // something else, or something that is not known
};

// What the lists of an answer say.
struct Items {
  std::vector<std::size_t> accepted;
  std::vector<std::size_t> refused;
  bool unclear = false;      // something could not be understood, or failed for another reason
  bool names_error = false;  // something was refused or failed, whatever that was
  std::optional<Outcome> failure;  // of the first that failed for another reason

  [[nodiscard]] bool empty() const { return accepted.empty() && refused.empty() && !unclear; }
};

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, number);
  return !text.empty() && error == std::errc{} && after == end ? std::optional(number)
                                                               : std::nullopt;
}

// A number, or a string that is one.
std::optional<std::uint64_t> number_of(element value) {
  std::uint64_t number = 0;
  std::string_view text;
  if (value.get(number) == SUCCESS) {
    return number;
  }
  return value.get(text) == SUCCESS ? number_in(text) : std::nullopt;
}

// The number of a field such as [2].params.sku or events[2]; that of products[2].sku is the
// product's.
std::optional<std::uint64_t> position_in_field(std::string_view field) {
  constexpr std::string_view events = "events";
  field.remove_prefix(field.starts_with(events) ? events.size() : 0);
  const std::size_t end = field.find(']');
  return field.starts_with('[') && end != field.npos ? number_in(field.substr(1, end - 1))
                                                     : std::nullopt;
}

std::optional<std::uint64_t> position_of(element entry) {
  element index;
  if (entry["index"].get(index) == SUCCESS) {
    return number_of(index);
  }
  std::string_view field;
  return entry["field"].get(field) == SUCCESS ? position_in_field(field) : std::nullopt;
}

bool is_one_of(std::string_view text, std::span<const std::string_view> words) {
  return std::ranges::any_of(words, [&](auto word) { return equals_ignoring_case(text, word); });
}

// What a status of HTTP says, where a member or an entry is one.
std::optional<Outcome> outcome_of_status(element status) {
  const std::optional<std::uint64_t> number = number_of(status);
  return number && *number <= 599
             ? std::optional(classify_status(static_cast<unsigned>(*number), false))
             : std::nullopt;
}

// Whether `name` is written as one of the words, in lower case, but for `_` and `-`.
bool is_named(std::string_view name, std::span<const std::string_view> words) {
  return std::ranges::any_of(words, [name](std::string_view word) {
    for (const char c : name) {
      if (c == '_' || c == '-') {
        continue;
      }
      if (word.empty() || (is_letter(c) ? static_cast<char>(c | 0x20) : c) != word.front()) {
        return false;
      }
      word.remove_prefix(1);
    }
    return word.empty();
  });
}

// Of the members that are so named the first that tells of a failure, or else the first.
std::optional<element> member_named(element entry, std::span<const std::string_view> words,
                                    bool (*is_failure)(element)) {
  object members;
  if (entry.get(members) != SUCCESS) {
    return std::nullopt;
  }
  std::optional<element> first;
  for (const auto [name, value] : members) {
    if (!is_named(name, words)) {
      continue;
    }
    if (is_failure(value)) {
      return value;
    }
    first = first ? first : value;
  }
  return first;
}

Verdict verdict_of_status(element status);

std::optional<element> status_in(element entry) {
  static constexpr std::array<std::string_view, 4> words = {"status", "statuscode", "httpstatus",
                                                            "httpstatuscode"};
  return member_named(entry, words, [](element status) {
    const Verdict verdict = verdict_of_status(status);
    return verdict == Verdict::refused || verdict == Verdict::failed;
  });
}

bool is_error_code(element code) {
  const auto number = number_of(code);
  return number && *number >= 400 && *number <= 599;
}

// A `code` in the root, where it is an error of HTTP: in a list it may be of the API's own errors.
std::optional<element> error_code_in(element root) {
  static constexpr std::array<std::string_view, 2> words = {"code", "errorcode"};
  const auto code = member_named(root, words, is_error_code);
  return code && is_error_code(*code) ? code : std::nullopt;
}

// A boolean, as one, as a number or as a word.
std::optional<bool> boolean_in(element said) {
  static constexpr std::array<std::string_view, 2> no = {"false", "no"};
  static constexpr std::array<std::string_view, 2> yes = {"true", "yes"};
  bool boolean = false;
  std::string_view word;
  if (said.get(boolean) == SUCCESS) {
    return boolean;
  }
  if (const auto number = number_of(said); number && *number <= 1) {
    return *number == 1;
  }
  if (said.get(word) == SUCCESS && is_one_of(word, no)) {
    return false;
  }
  return is_one_of(word, yes) ? std::optional(true) : std::nullopt;
}

// What `success` or `ok` says.
std::optional<bool> success_in(element entry) {
  static constexpr std::array<std::string_view, 2> words = {"success", "ok"};
  const auto said =
      member_named(entry, words, [](element value) { return boolean_in(value) == false; });
  return said ? boolean_in(*said) : std::nullopt;
}

Verdict verdict_of_status(element status) {
  static constexpr std::array<std::string_view, 6> good = {"ok",      "accepted",  "success",
                                                           "created", "delivered", "succeeded"};
  static constexpr std::array<std::string_view, 9> bad = {"error",   "rejected",    "failed",
                                                          "failure", "fail",        "invalid",
                                                          "refused", "bad request", "false"};
  std::string_view word;
  bool boolean = true;
  if (status.get(boolean) == SUCCESS) {
    return boolean ? Verdict::accepted : Verdict::refused;
  }
  if (!number_of(status)) {
    if (status.get(word) != SUCCESS) {
      return Verdict::unclear;
    }
    return is_one_of(word, good)  ? Verdict::accepted
           : is_one_of(word, bad) ? Verdict::refused
                                  : Verdict::unclear;
  }
  const std::optional<Outcome> outcome = outcome_of_status(status);
  if (!outcome || (*outcome != Outcome::delivered && *number_of(status) < 400)) {
    return Verdict::unclear;
  }
  const bool content = *outcome == Outcome::rejected || *outcome == Outcome::too_large;
  return *outcome == Outcome::delivered ? Verdict::accepted
         : content                      ? Verdict::refused
                                        : Verdict::failed;
}

// Whether something stands there; null, false, 0, and what is empty say that nothing does.
bool is_something(element value) {
  bool boolean = false;
  double number = 0;
  std::string_view text;
  array list;
  object members;
  if (value.is_null()) {
    return false;
  }
  if (value.get(boolean) == SUCCESS) {
    return boolean;
  }
  if (value.get(number) == SUCCESS) {
    return number != 0;
  }
  if (value.get(text) == SUCCESS) {
    return !text.empty();
  }
  if (value.get(list) == SUCCESS) {
    return list.size() > 0;
  }
  return value.get(members) != SUCCESS || members.size() > 0;
}

bool names_error(element entry) {
  element value;
  return (entry["error"].get(value) == SUCCESS && is_something(value)) ||
         (entry["errors"].get(value) == SUCCESS && is_something(value)) ||
         !success_in(entry).value_or(true);
}

Verdict verdict_of(element entry) {
  if (!entry.is_object()) {
    return verdict_of_status(entry);
  }
  const bool error = names_error(entry);
  if (const auto status = status_in(entry)) {
    const Verdict verdict = verdict_of_status(*status);
    return error && verdict == Verdict::accepted ? Verdict::unclear : verdict;
  }
  if (error) {
    return Verdict::refused;
  }
  return success_in(entry) ? Verdict::accepted : Verdict::silent;
}

// `lists_errors`: that an event is there says that it was refused.
void read_list(const array& list, bool lists_errors, std::size_t event_count, Items& items) {
  std::size_t place = 0;
  const bool one_each = list.size() == event_count;
  for (const element entry : list) {
    const std::optional<std::uint64_t> named =
        entry.is_object() ? position_of(entry) : std::nullopt;
    Verdict verdict = verdict_of(entry);
    if (verdict == Verdict::silent && lists_errors && (named || event_count == 1)) {
      verdict = Verdict::refused;
    }
    const std::size_t position = named.value_or(one_each ? place : event_count);
    ++place;
    items.names_error = items.names_error || verdict == Verdict::refused ||
                        verdict == Verdict::failed || (entry.is_object() && names_error(entry));
    if (verdict == Verdict::failed && !items.failure) {
      items.failure = outcome_of_status(entry.is_object() ? *status_in(entry) : entry);
    }
    if (position >= event_count || (verdict != Verdict::accepted && verdict != Verdict::refused)) {
      items.unclear = true;
    } else {
      (verdict == Verdict::accepted ? items.accepted : items.refused).push_back(position);
    }
  }
}

void sort_out(std::vector<std::size_t>& positions) {
  std::ranges::sort(positions);
  const auto repeated = std::ranges::unique(positions);
  positions.erase(repeated.begin(), repeated.end());
}

// `partial`: of a 207, whose list in the root is one of what was refused, unless it says otherwise.
Items read_items(element root, bool partial, std::size_t event_count) {
  Items items;
  array list;
  if (root.get(list) == SUCCESS) {
    read_list(list, partial, event_count, items);
  } else if (root.is_object()) {
    for (const char* const key : {"errors", "results", "items", "data"}) {
      if (root[key].get(list) == SUCCESS) {
        const bool lists_errors = key == std::string_view("errors");
        read_list(list, lists_errors, event_count, items);
        items.names_error = items.names_error || (lists_errors && list.size() > 0);
      }
    }
  }
  sort_out(items.accepted);
  sort_out(items.refused);
  std::vector<std::size_t> both;
  std::ranges::set_intersection(items.accepted, items.refused, std::back_inserter(both));
  // A list of what was accepted that is not whole leaves open what became of the others.
  const std::size_t named = items.accepted.size() + items.refused.size();
  items.unclear =
      items.unclear || !both.empty() || (!items.accepted.empty() && named < event_count);
  return items;
}

Judgement by_items(Items items, std::size_t event_count) {
  if (event_count == 1 && items.failure) {
    return {.outcome = *items.failure};  // as if the status were the answer's
  }
  if (items.unclear || items.refused.size() == event_count) {
    return {.outcome = Outcome::rejected};
  }
  if (items.refused.empty()) {
    return {.outcome = Outcome::delivered};
  }
  return {.outcome = Outcome::partially_delivered, .rejected = std::move(items.refused)};
}

bool is_json_type(std::string_view media_type) {
  return equals_ignoring_case(media_type, "application/json") ||
         equals_ignoring_case(media_type, "text/json") ||
         (media_type.size() > 5 &&
          equals_ignoring_case(media_type.substr(media_type.size() - 5), "+json"));
}

std::string_view without_space(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(space);
  return begin == text.npos ? std::string_view{}
                            : text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

// Whether this cannot have come from the API: its media type says so, or its beginning. A body
// without a media type is what it looks like.
bool is_foreign(const UpstreamAnswer& answer, std::string_view body) {
  const std::string_view media_type =
      without_space(std::string_view(answer.content_type).substr(0, answer.content_type.find(';')));
  return !body.empty() && (media_type.empty() ? body.front() == '<' : !is_json_type(media_type));
}

// Without a setting: what the API's clients know, and 204, which says it by itself. A status that
// no client of it names (203 of a changed copy, 205, 206 of a part) comes from something between.
bool is_success_status(unsigned status, bool has_body) {
  return status == 200 || status == 202 || status == 207 || status == (has_body ? 201U : 204U);
}

// Of a success with a body that is whole and JSON.
Judgement judge_content(element root, std::size_t event_count) {
  const bool is_one_value = !root.is_object() && !root.is_array();
  for (const auto& status :
       {is_one_value ? std::optional(root) : status_in(root), error_code_in(root)}) {
    const Verdict verdict = status ? verdict_of_status(*status) : Verdict::silent;
    if (verdict == Verdict::refused || verdict == Verdict::failed) {
      return {.outcome = outcome_of_status(*status).value_or(Outcome::rejected)};
    }
  }
  Items items = read_items(root, false, event_count);
  if (items.names_error) {
    return by_items(std::move(items), event_count);
  }
  return {.outcome =
              root.is_object() && names_error(root) ? Outcome::rejected : Outcome::delivered};
}

// A 207 says that not all went well: what it says must be understood.
Judgement judge_partial(element root, std::size_t event_count) {
  Items items = read_items(root, true, event_count);
  if (items.empty() && event_count == 1) {
    return judge_content(root, event_count);
  }
  items.unclear = items.unclear || items.empty();
  return by_items(std::move(items), event_count);
}

// What breaks off says nothing of an event that was alone, and may come whole another time.
Judgement judge_cut_partial(const UpstreamAnswer& answer, std::size_t event_count) {
  const bool broke_off = answer.body.size() < answer_body_bytes_max;
  return {.outcome = event_count == 1 && broke_off ? Outcome::ambiguous : Outcome::rejected};
}

}  // namespace

Judgement judge(const UpstreamAnswer& answer, std::size_t event_count,
                std::span<const unsigned> accept_statuses) {
  const Outcome by_status = classify(answer);
  if (by_status != Outcome::delivered && by_status != Outcome::partially_delivered) {
    return {.outcome = by_status};
  }
  const std::string_view body = without_space(answer.body);
  const bool may_be_success =
      accept_statuses.empty()
          ? is_success_status(answer.status, !body.empty())
          : std::ranges::find(accept_statuses, answer.status) != accept_statuses.end();
  if (!may_be_success) {
    return {.outcome = Outcome::misrouted};
  }
  const bool partial = by_status == Outcome::partially_delivered;
  if (is_foreign(answer, body)) {
    return {.outcome = partial && event_count > 1 ? Outcome::rejected : Outcome::misrouted};
  }
  simdjson::dom::parser parser;
  element root;
  const bool is_json = parser.parse(simdjson::padded_string(body)).get(root) == SUCCESS;
  if (is_json) {
    return partial ? judge_partial(root, event_count) : judge_content(root, event_count);
  }
  if (answer.body_is_cut) {
    // A success without more is what its status says; one that never ends would be sent for ever.
    return partial ? judge_cut_partial(answer, event_count) : Judgement{.outcome = by_status};
  }
  if (partial && (event_count > 1 || body.starts_with('[') || body.starts_with('{'))) {
    return {.outcome = Outcome::rejected};  // sent apart
  }
  return {.outcome = body.empty() ? Outcome::delivered : Outcome::misrouted};
}

}  // namespace sluice::deliver

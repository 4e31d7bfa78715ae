#include "dead_letter_text.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include <sluice/base/json_text.hpp>
#include <sluice/normalise/time.hpp>

#include "query.hpp"

namespace sluice::admin {
namespace {

namespace ondemand = simdjson::ondemand;
using deadletter::Filter;
using deadletter::LetterId;

constexpr std::size_t letters_listed_max = 1'000;
constexpr std::string_view selection_mend =
    R"(write {"ids":["…"]}, {"filter":{"workspace":…,"reason":…,"since":…,"until":…,"contains":…}} )"
    R"(or {"all":true})";

std::unexpected<Error> wrong(std::string message) {
  return failure(std::errc::invalid_argument, std::move(message));
}

Result<WallTime> read_time(std::string_view text) {
  const auto time = parse_time(text);
  if (!time) {
    return wrong("`" + std::string(text) + "` is not a time: write it as 2026-11-24T00:00:00Z");
  }
  return time->time;
}

Result<LetterId> read_id(std::string_view text) {
  const auto id = deadletter::parse_letter_id(text);
  if (!id) {
    return wrong("`" + std::string(text.substr(0, 64)) + "` is not the id of a dead letter");
  }
  return *id;
}

// Takes the value over, or its error.
template <class T, class Out>
Result<void> put(Result<T> value, Out& out) {
  if (!value) {
    return std::unexpected(value.error());
  }
  out = *std::move(value);
  return {};
}

// Nothing when the filter has no such member.
std::optional<Result<void>> set_member(Filter& filter, std::string_view name, std::string value) {
  if (name == "since") {
    return put(read_time(value), filter.since);
  }
  if (name == "until") {
    return put(read_time(value), filter.until);
  }
  for (const auto& [known, member] :
       {std::pair("workspace", &Filter::workspace), std::pair("reason", &Filter::reason),
        std::pair("contains", &Filter::contains)}) {
    if (name == known) {
      filter.*member = std::move(value);
      return Result<void>();
    }
  }
  return std::nullopt;
}

Result<void> set_parameter(deadletter::Query& query, std::string_view name, std::string value) {
  if (auto set = set_member(std::get<Filter>(query.selection), name, value)) {
    return *std::move(set);
  }
  if (name == "cursor") {
    return put(read_id(value), query.after);
  }
  if (name == "order" && (value == "oldest" || value == "newest")) {
    query.order =
        value == "oldest" ? deadletter::Order::oldest_first : deadletter::Order::newest_first;
    return {};
  }
  if (name == "limit") {
    const auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), query.letters_max);
    const bool is_limit = error == std::errc() && end == value.data() + value.size() &&
                          query.letters_max >= 1 && query.letters_max <= letters_listed_max;
    return is_limit ? Result<void>() : wrong("limit is a number from 1 to 1000");
  }
  return wrong("there is no parameter `" + std::string(name.substr(0, 64)) +
               "` with this value: use workspace, reason, since, until, contains, order (newest, "
               "oldest), limit, cursor");
}

Result<std::set<LetterId>> read_ids(ondemand::value value) {
  std::set<LetterId> ids;
  ondemand::array array;
  if (value.get(array) != simdjson::SUCCESS) {
    return wrong("`ids` is a list of ids");
  }
  for (auto item : array) {
    std::string_view text;
    if (item.get(text) != simdjson::SUCCESS) {
      return wrong("`ids` is a list of ids");
    }
    const auto id = read_id(text);
    if (!id) {
      return std::unexpected(id.error());
    }
    ids.insert(*id);
  }
  return ids.empty() ? Result<std::set<LetterId>>(wrong("`ids` is empty")) : ids;
}

Result<Filter> read_filter(ondemand::value value) {
  Filter filter;
  ondemand::object object;
  if (value.get(object) != simdjson::SUCCESS) {
    return wrong("`filter` is an object");
  }
  for (auto field : object) {
    std::string_view name;
    std::string_view text;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS ||
        field.value().get(text) != simdjson::SUCCESS) {
      return wrong("the members of `filter` are strings");
    }
    const auto set = set_member(filter, name, std::string(text));
    if (!set) {
      return wrong("`filter` has no `" + std::string(name.substr(0, 64)) + "`");
    }
    if (!*set) {
      return std::unexpected(set->error());
    }
  }
  if (filter == Filter{}) {
    return wrong("`filter` says nothing: for all letters, write {\"all\":true}");
  }
  return filter;
}

Result<Cursor> read_cursor(ondemand::value value) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS || text.find('-') == text.npos) {
    return wrong("`cursor` is not one that an answer had");
  }
  const std::string_view after_text = text.substr(0, text.find('-'));
  const auto after = after_text == deadletter::to_text(0) ? LetterId{0} : read_id(after_text);
  const auto last = read_id(text.substr(after_text.size() + 1));
  if (!after || !last) {
    return wrong("`cursor` is not one that an answer had");
  }
  return Cursor{.after = *after, .last = *last};
}

Result<void> read_member(std::string_view name, ondemand::value value, Pass& pass,
                         int& selections) {
  selections += name == "cursor" ? 0 : 1;
  if (name == "ids") {
    return put(read_ids(value), pass.selection);
  }
  if (name == "filter") {
    return put(read_filter(value), pass.selection);
  }
  if (name == "all") {
    bool all = false;
    if (value.get(all) != simdjson::SUCCESS || !all) {
      return wrong("`all` is true, or left out");
    }
    return {};
  }
  if (name == "cursor") {
    ondemand::json_type type{};
    if (value.type().get(type) != simdjson::SUCCESS) {
      return wrong("the body is not JSON");
    }
    return type == ondemand::json_type::null ? Result<void>()
                                             : put(read_cursor(value), pass.cursor);
  }
  return wrong("there is no member `" + std::string(name.substr(0, 64)) +
               "`: " + std::string(selection_mend));
}

void append_optional(std::string& out, std::string_view name, std::string_view text) {
  fmt::format_to(std::back_inserter(out), ",\"{}\":", name);
  if (text.empty()) {
    out += "null";
  } else {
    append_json_string(out, text);
  }
}

std::string to_text(const std::optional<Cursor>& cursor) {
  return cursor ? deadletter::to_text(cursor->after) + "-" + deadletter::to_text(cursor->last) : "";
}

}  // namespace

Result<deadletter::Query> parse_query(std::string_view query) {
  deadletter::Query parsed{.order = deadletter::Order::newest_first};
  const auto read = read_parameters(query, [&](std::string_view name, std::string value) {
    return set_parameter(parsed, name, std::move(value));
  });
  if (!read) {
    return std::unexpected(read.error());
  }
  return parsed;
}

Result<Pass> parse_pass(std::string_view body) {
  ondemand::parser parser;
  const simdjson::padded_string padded(body);
  ondemand::document document;
  ondemand::object object;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
      document.get_object().get(object) != simdjson::SUCCESS) {
    return wrong("the body is not a JSON object: " + std::string(selection_mend));
  }
  Pass pass;
  int selections = 0;
  for (auto field : object) {
    std::string_view name;
    ondemand::value value;
    if (field.unescaped_key().get(name) != simdjson::SUCCESS ||
        field.value().get(value) != simdjson::SUCCESS) {
      return wrong("the body is not JSON");
    }
    if (const auto read = read_member(name, value, pass, selections); !read) {
      return std::unexpected(read.error());
    }
  }
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
    return wrong("the body is not JSON");
  }
  if (selections != 1) {
    return wrong("say which letters, once: " + std::string(selection_mend));
  }
  return pass;
}

std::string to_json(const deadletter::Page& page, const DeadLetters::Totals& totals) {
  std::string out =
      fmt::format(R"({{"stored":{},"stored_bytes":{},"unreadable_lines":{},"letters":[)",
                  totals.letters, totals.bytes, totals.unreadable_lines);
  for (const deadletter::Letter& letter : page.letters) {
    out += out.ends_with('[') ? "" : ",";
    out += letter.line;
  }
  out += ']';
  append_optional(out, "cursor", page.next ? deadletter::to_text(*page.next) : "");
  return out + "}\n";
}

std::string to_json(const PurgeReport& report) {
  std::string out = fmt::format("{{\"purged\":{}", report.purged);
  append_optional(out, "stopped", report.stopped);
  append_optional(out, "cursor", to_text(report.cursor));
  return out + "}\n";
}

std::string to_json(const ReplayReport& report) {
  std::string out =
      fmt::format("{{\"replayed\":{},\"kept\":{},\"why\":[", report.replayed, report.kept);
  for (const KeptLetter& kept : report.why) {
    out += out.ends_with('[') ? "" : ",";
    out += "{\"id\":\"" + deadletter::to_text(kept.id) + "\",\"reason\":";
    append_json_string(out, kept.why);
    out += '}';
  }
  out += ']';
  append_optional(out, "stopped", report.stopped);
  append_optional(out, "cursor", to_text(report.cursor));
  return out + "}\n";
}

}  // namespace sluice::admin

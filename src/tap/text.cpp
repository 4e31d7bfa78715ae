#include <array>
#include <charconv>
#include <iterator>

#include <fmt/format.h>
#include <simdjson.h>

#include <sluice/base/json_text.hpp>
#include <sluice/normalise/time.hpp>
#include <sluice/tap/text.hpp>

namespace sluice::tap {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::string_view blank = " \t\r\n";
constexpr double per_second_most = 1'000;

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(blank), text.size()));
  return text.substr(0, text.find_last_not_of(blank) + 1);
}

// Writes a value on one line. An error leaves half of it in `out`.
class ValueWriter {
 public:
  ValueWriter(std::string& out, bool masked, bool canonical)
      : out_(out), masked_(masked), canonical_(canonical) {}

  [[nodiscard]] bool write(ondemand::value value) {
    ondemand::json_type type{};
    if (value.type().get(type) != simdjson::SUCCESS) {
      return false;
    }
    switch (type) {
      case ondemand::json_type::object: {
        ondemand::object object;
        return value.get(object) == simdjson::SUCCESS && write(object);
      }
      case ondemand::json_type::array: {
        ondemand::array array;
        return value.get(array) == simdjson::SUCCESS && write(array);
      }
      case ondemand::json_type::string: {
        std::string_view text;
        if (value.get(text) != simdjson::SUCCESS) {
          return false;
        }
        append_json_string(out_, masked_ && !is_name_ ? "string" : text);
        return true;
      }
      default:
        return write_token(value, type == ondemand::json_type::number);
    }
  }
  [[nodiscard]] bool write(ondemand::object object) {
    out_ += '{';
    ++depth_;
    for (auto field : object) {
      std::string_view key;
      ondemand::value value;
      if (field.unescaped_key().get(key) != simdjson::SUCCESS ||
          field.value().get(value) != simdjson::SUCCESS) {
        return false;
      }
      out_ += out_.back() == '{' ? "" : ",";
      append_json_string(out_, key);
      out_ += ':';
      // These say what kind of event it is, and of canonical ones it is known that they do.
      is_name_ = canonical_ && depth_ == 1 && (key == "type" || key == "action");
      if (!write(value)) {
        return false;
      }
      is_name_ = false;
    }
    --depth_;
    out_ += '}';
    return true;
  }

 private:
  [[nodiscard]] bool write(ondemand::array array) {
    out_ += '[';
    ++depth_;
    for (auto item : array) {
      ondemand::value value;
      out_ += out_.back() == '[' ? "" : ",";
      if (item.get(value) != simdjson::SUCCESS || !write(value)) {
        return false;
      }
    }
    --depth_;
    out_ += ']';
    return true;
  }
  // simdjson reads on demand: a token that is none must not be passed on.
  [[nodiscard]] bool write_token(ondemand::value value, bool is_number) {
    const std::string_view token = trimmed(value.raw_json_token());
    const bool is_word = token == "true" || token == "false" || token == "null";
    if (!(is_number ? is_json_number(token) : is_word)) {
      return false;
    }
    if (is_number && masked_) {
      out_ += "\"number\"";
    } else {
      out_ += token;
    }
    return true;
  }

  std::string& out_;
  const bool masked_;
  const bool canonical_;
  int depth_ = 0;
  bool is_name_ = false;
};

void append_event(std::string& out, const Sample& sample, bool masked) {
  const std::size_t before = out.size();
  ondemand::parser parser;
  const simdjson::padded_string padded(sample.event);
  ondemand::document document;
  ondemand::object object;
  if (parser.iterate(padded).get(document) == simdjson::SUCCESS &&
      document.get_object().get(object) == simdjson::SUCCESS &&
      ValueWriter(out, masked, sample.outcome == Outcome::accepted).write(object)) {
    return;
  }
  out.resize(before);
  out += "null";
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  fmt::format_to(std::back_inserter(out), ",\"{}\":", name);
  if (text.empty()) {
    out += "null";
  } else {
    append_json_string(out, text);
  }
}

void append_mistakes(std::string& out, const std::vector<Mistake>& mistakes, bool masked) {
  out += ",\"errors\":[";
  for (const Mistake& mistake : mistakes) {
    fmt::format_to(std::back_inserter(out), "{}{{\"index\":{},\"code\":{}",
                   out.back() == '[' ? "" : ",", mistake.index, mistake.code);
    append_member(out, "reason", mistake.reason);
    out += ",\"field\":";
    append_json_string(out, mistake.field);
    append_member(out, "message",
                  masked && mistake.quotes_values ? std::string_view() : mistake.message);
    out += '}';
  }
  out += ']';
}

void append_doubts(std::string& out, const std::vector<Doubt>& doubts) {
  out += ",\"warnings\":[";
  for (const Doubt& doubt : doubts) {
    fmt::format_to(std::back_inserter(out), "{}{{\"index\":{}", out.back() == '[' ? "" : ",",
                   doubt.index);
    append_member(out, "rule", doubt.rule);
    append_member(out, "field", doubt.field);
    append_member(out, "message", doubt.message);
    out += '}';
  }
  out += ']';
}

std::string time_text(WallTime time) {
  std::array<char, time_text_size> text{};
  format_time(time, text.data());
  return {text.data(), text.size()};
}

// As it stands in the body; empty where it is no object.
std::string_view raw_of(ondemand::value value) {
  ondemand::object object;
  std::string_view raw;
  return value.get(object) == simdjson::SUCCESS && object.raw_json().get(raw) == simdjson::SUCCESS
             ? trimmed(raw)
             : std::string_view();
}

std::vector<std::string_view> find_lines(std::string_view body) {
  std::vector<std::string_view> events;
  while (!body.empty()) {
    const std::string_view line = body.substr(0, body.find('\n'));
    body.remove_prefix(std::min(line.size() + 1, body.size()));
    if (!trimmed(line).empty()) {
      events.push_back(trimmed(line));
    }
  }
  return events;
}

}  // namespace

Result<void> read_rate(std::string_view text, Wish& wish) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const bool is_number = error == std::errc() && number > 0;
  if (is_number && unit == "/s" && number <= per_second_most) {
    wish.per_second_max = number;
    wish.share = 1;
    return {};
  }
  if (is_number && unit == "%" && number <= 100) {
    wish.per_second_max = 0;
    wish.share = number / 100;
    return {};
  }
  return failure(std::errc::invalid_argument,
                 "how many samples: write `20/s`, 1000 at most, or `1%` of all that come");
}

std::string to_line(const Sample& sample, bool masked) {
  std::string out = sample.outcome == Outcome::accepted ? "{\"outcome\":\"accepted\""
                                                        : "{\"outcome\":\"rejected\"";
  append_member(out, "at", time_text(sample.at));
  append_member(out, "workspace", sample.workspace);
  append_member(out, "source", sample.source);
  append_member(out, "path", sample.path);
  append_member(out, "producer", sample.producer);
  append_member(out, "request_id", sample.request_id);
  append_member(out, "traceparent", sample.traceparent);
  if (sample.outcome == Outcome::rejected) {
    append_mistakes(out, sample.mistakes, masked);
  }
  if (!sample.doubts.empty()) {
    append_doubts(out, sample.doubts);
  }
  out += ",\"event\":";
  append_event(out, sample, masked);
  return out + "}\n";
}

std::string dropped_line(std::uint64_t dropped) {
  return fmt::format("{{\"dropped\":{}}}\n", dropped);
}

std::vector<std::string_view> find_events(std::string_view body, bool lines) {
  if (lines) {
    return find_lines(body);
  }
  if (!trimmed(body).starts_with('[')) {
    return {trimmed(body)};
  }
  std::vector<std::string_view> events;
  ondemand::parser parser;
  ondemand::document document;
  ondemand::array array;
  if (parser.iterate(body.data(), body.size(), body.size() + simdjson::SIMDJSON_PADDING)
              .get(document) != simdjson::SUCCESS ||
      document.get_array().get(array) != simdjson::SUCCESS) {
    return events;
  }
  for (auto item : array) {
    ondemand::value value;
    if (item.get(value) != simdjson::SUCCESS) {
      break;
    }
    events.push_back(raw_of(value));
  }
  return events;
}

}  // namespace sluice::tap

#include "response_parser.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include <boost/beast/core/string.hpp>

#include <sluice/base/assert.hpp>

namespace sluice::load {
namespace {

constexpr unsigned status_accepted = 202;
constexpr std::string_view version = "HTTP/1.1 ";

bool iequals(std::string_view a, std::string_view b) { return boost::beast::iequals(a, b); }

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == text.npos ? std::string_view{}
                            : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

std::uint64_t member(std::string_view body, std::string_view name_and_colon) {
  const std::size_t at = body.find(name_and_colon);
  std::uint64_t value = 0;
  if (at != body.npos) {
    const std::size_t digits = body.find_first_not_of(' ', at + name_and_colon.size());
    if (digits != body.npos) {
      std::from_chars(body.data() + digits, body.data() + body.size(), value);
    }
  }
  return value;
}

}  // namespace

Counts find_counts(std::string_view body) {
  return {.accepted = member(body, "\"accepted\":"),
          .rejected = member(body, "\"rejected\":"),
          .duplicates = member(body, "\"duplicates\":")};
}

std::span<char> ResponseParser::space() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return std::span(buffer_).subspan(end_);
}

void ResponseParser::commit(std::size_t bytes) {
  SLUICE_ASSERT(bytes <= buffer_.size() - end_);
  end_ += bytes;
}

void ResponseParser::reset() {
  begin_ = end_ = 0;
  state_ = State::head;
}

ResponseParser::Step ResponseParser::next(Answer& answer) {
  if (state_ == State::head) {
    const Step step = read_head();
    if (step != Step::answer) {
      return step;
    }
  }
  if (state_ == State::refused) {
    return Step::malformed;
  }
  if (!read_body()) {
    return Step::incomplete;
  }
  state_ = State::head;
  answer = answer_;
  return Step::answer;
}

// `answer` when a head that is not informational has been read.
ResponseParser::Step ResponseParser::read_head() {
  constexpr std::string_view end_of_head = "\r\n\r\n";
  do {
    const std::size_t size = unread().find(end_of_head);
    if (size == std::string_view::npos) {
      // Another protocol may never send the end of a head.
      const bool hopeless = unread().size() == buffer_.size() ||
                            !version.starts_with(unread().substr(0, version.size()));
      state_ = hopeless ? State::refused : State::head;
      return hopeless ? Step::malformed : Step::incomplete;
    }
    // One line end stays with the head, so that each of its lines has one.
    if (!parse_head(unread().substr(0, size + 2))) {
      state_ = State::refused;
      return Step::malformed;
    }
    begin_ += size + end_of_head.size();
  } while (answer_.status < 200);
  state_ = State::counts;
  return Step::answer;
}

// "HTTP/1.1 202 Accepted", then "Name: value" lines (RFC 9112).
bool ResponseParser::parse_head(std::string_view head) {
  constexpr std::size_t status_digits = 3;
  if (!head.starts_with(version)) {
    return false;
  }
  const auto status = number(head.substr(version.size(), status_digits));
  if (!status || *status < 100 || *status > 599) {
    return false;
  }
  answer_ = {.status = static_cast<unsigned>(*status), .keep_alive = true, .counts = {}};
  std::optional<std::uint64_t> length;
  head.remove_prefix(head.find("\r\n") + 2);
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    const std::size_t colon = line.find(':');
    if (colon == line.npos) {
      return false;
    }
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (iequals(name, "Content-Length")) {
      length = number(value);
      if (!length) {
        return false;
      }
    } else if (iequals(name, "Connection")) {
      answer_.keep_alive = !iequals(value, "close");
    } else if (iequals(name, "Transfer-Encoding")) {
      return false;
    }
  }
  const bool bodiless = *status < 200 || *status == 204 || *status == 304;
  body_bytes_left_ = bodiless ? 0 : length.value_or(0);
  return bodiless || length;
}

// Whether the body has been read to its end.
bool ResponseParser::read_body() {
  if (state_ == State::counts) {
    const auto needed =
        static_cast<std::size_t>(std::min<std::uint64_t>(body_bytes_left_, counts_bytes_max));
    if (unread().size() < needed) {
      return false;
    }
    if (answer_.status == status_accepted) {
      answer_.counts = find_counts(unread().substr(0, needed));
    }
    state_ = State::rest;
  }
  const auto passed =
      static_cast<std::size_t>(std::min<std::uint64_t>(body_bytes_left_, unread().size()));
  begin_ += passed;
  body_bytes_left_ -= passed;
  return body_bytes_left_ == 0;
}

}  // namespace sluice::load

#include "passthrough.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <simdjson.h>

#include <sluice/base/ascii.hpp>

#include "routes.hpp"

namespace sluice::ingest {
namespace {

constexpr std::array<std::string_view, 7> methods{"GET",   "HEAD",   "POST",   "PUT",
                                                  "PATCH", "DELETE", "OPTIONS"};

// Of one connection (RFC 9110, 7.6.1, and what RFC 2616 and habit add), or written anew.
constexpr std::array<std::string_view, 14> hop_by_hop{"Connection",
                                                      "Keep-Alive",
                                                      "Proxy-Connection",
                                                      "Proxy-Authenticate",
                                                      "Proxy-Authorization",
                                                      "Proxy-Authentication-Info",
                                                      "TE",
                                                      "Trailer",
                                                      "Transfer-Encoding",
                                                      "Upgrade",
                                                      "HTTP2-Settings",
                                                      "Content-Length",
                                                      "Expect",
                                                      "Host"};
// By which a caller proves who it is, or is recognised.
constexpr std::array<std::string_view, 3> credentials{"Authorization", "X-Api-Key", "Cookie"};
// In which an upstream could hand out a session or a credential.
constexpr std::array<std::string_view, 3> sessions{"Set-Cookie", "Set-Cookie2", "Authorization"};

template <class List>
bool among(const List& names, std::string_view name) {
  return std::ranges::any_of(names,
                             [&](std::string_view one) { return equals_ignoring_case(one, name); });
}

// The names that the `Connection` fields hold.
std::vector<std::string_view> named_by_connection(const std::vector<HeadField>& fields) {
  std::vector<std::string_view> names;
  for (const HeadField& field : fields) {
    std::string_view rest =
        equals_ignoring_case(field.name, "Connection") ? field.value : std::string_view();
    while (!rest.empty()) {
      std::string_view name = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), name.size() + 1));
      name.remove_prefix(std::min(name.size(), name.find_first_not_of(" \t")));
      name = name.substr(0, name.find_last_not_of(" \t") + 1);
      if (!name.empty()) {
        names.push_back(name);
      }
    }
  }
  return names;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_framing(std::string& out, const BodyFraming& framing) {
  if (framing.kind == BodyFraming::Kind::length) {
    append_field(out, "Content-Length", fmt::format_int(framing.length).str());
  } else if (framing.kind == BodyFraming::Kind::chunked) {
    append_field(out, "Transfer-Encoding", "chunked");
  }
}

// What goes on unchanged: all fields but those of one connection and those that `drop` names.
template <class Drop>
void append_end_to_end(std::string& out, const std::vector<HeadField>& fields, Drop&& drop) {
  const std::vector<std::string_view> named = named_by_connection(fields);
  for (const HeadField& field : fields) {
    if (!among(hop_by_hop, field.name) && !among(named, field.name) && !drop(field.name)) {
      append_field(out, field.name, field.value);
    }
  }
}

// Percent-decoded once; nothing when it is not properly encoded, or when what comes out is read in
// several ways.
std::optional<std::string> decoded(std::string_view path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%') {
      const int high = i + 2 < path.size() ? hex_value(path[i + 1]) : -1;
      const int low = high < 0 ? -1 : hex_value(path[i + 2]);
      if (low < 0) {
        return std::nullopt;
      }
      c = static_cast<char>(high * 16 + low);
      i += 2;
      // What is a separator to some, or would be decoded again by others.
      if (c == '/' || c == '\\' || c == '%' || c == ';') {
        return std::nullopt;
      }
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || c == '\\') {
      return std::nullopt;
    }
    out += c;
  }
  return simdjson::validate_utf8(out) ? std::optional(out) : std::nullopt;
}

// What stands in a reading for a letter that some servers take for an ASCII one: full width,
// accents, mathematical and the like (compatibility decomposition, best fit).
constexpr char some_letter = '\x01';

struct CodePoints {
  char32_t first;
  char32_t last;
};
constexpr std::array<CodePoints, 9> letter_like{{{0x80, 0x2AF},
                                                 {0x2B0, 0x2FF},
                                                 {0x1D00, 0x1EFF},
                                                 {0x2070, 0x24FF},
                                                 {0x2C60, 0x2C7F},
                                                 {0xA720, 0xA7FF},
                                                 {0xFB00, 0xFB06},
                                                 {0xFF01, 0xFF5E},
                                                 {0x1D400, 0x1F1FF}}};
// Those that some drop: they show nothing.
constexpr std::array<CodePoints, 7> invisible{{{0xAD, 0xAD},
                                               {0x200B, 0x200F},
                                               {0x202A, 0x202E},
                                               {0x2060, 0x206F},
                                               {0xFE00, 0xFE0F},
                                               {0xFEFF, 0xFEFF},
                                               {0xE0000, 0xE0FFF}}};

template <class Ranges>
bool is_in(const Ranges& ranges, char32_t point) {
  return std::ranges::any_of(
      ranges, [&](const CodePoints& one) { return point >= one.first && point <= one.last; });
}

// Takes one code point of what is valid UTF-8.
char32_t take_code_point(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  char32_t point = size == 1 ? first : first & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    point = (point << 6U) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  text.remove_prefix(size);
  return point;
}

// A segment as the most lenient of servers may read it: in lower case, cut where parameters,
// queries, fragments and streams of files begin, without dots and spaces around it and without what
// cannot be seen.
std::string lenient_reading(std::string_view segment) {
  segment = segment.substr(0, segment.find_first_of(";?#:"));
  std::string out;
  while (!segment.empty()) {
    const char32_t point = take_code_point(segment);
    if (point < 0x80) {
      const char c = static_cast<char>(point);
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (!is_in(invisible, point)) {
      out += is_in(letter_like, point) ? some_letter : '\x02';
    }
  }
  const auto is_trimmed = [](char c) { return c == '.' || c == ' ' || c == '+'; };
  out.erase(out.begin(), std::ranges::find_if_not(out, is_trimmed));
  while (!out.empty() && is_trimmed(out.back())) {
    out.pop_back();
  }
  return out;
}

// Whether the reading can be the word to somebody.
bool can_be(std::string_view reading, std::string_view word) {
  return std::ranges::equal(reading, word,
                            [](char a, char b) { return a == b || a == some_letter; });
}

}  // namespace

bool is_passed_method(std::string_view method) {
  return std::ranges::find(methods, method) != methods.end();
}

PathVerdict judge_path(std::string_view path, bool with_credentials) {
  const auto plain = decoded(path);
  if (!plain) {
    return PathVerdict::ambiguous;
  }
  bool login = false;
  std::string read;  // the whole path, as the most lenient may read it
  std::string_view rest = std::string_view(*plain).substr(1);
  while (!rest.empty()) {
    const std::string_view segment = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), segment.size() + 1));
    const std::string reading = lenient_reading(segment);
    if (reading.empty()) {
      return PathVerdict::ambiguous;
    }
    login = login || can_be(reading, "auth");
    read.append("/").append(reading);
  }
  if (login) {
    return with_credentials ? PathVerdict::login : PathVerdict::plain;
  }
  // What is about the caller's key goes through with that key, and is then none of ours.
  const auto route = find_route(read);
  const bool is_ours = route && (with_credentials || !is_about_key(route->id));
  return is_ours ? PathVerdict::ambiguous : PathVerdict::plain;
}

bool may_repeat(std::string_view method, bool has_body) {
  return !has_body && is_passed_method(method) && method != "POST" && method != "PATCH";
}

BodyFraming request_framing(bool chunked, std::optional<std::uint64_t> length) {
  if (chunked) {
    return {.kind = BodyFraming::Kind::chunked};
  }
  return length ? BodyFraming{.kind = BodyFraming::Kind::length, .length = *length} : BodyFraming{};
}

std::string upstream_request_head(const RequestHead& head, const RequestRewrite& rewrite) {
  std::string out = head.method_text + " " + head.target + " HTTP/1.1\r\n";
  append_field(out, "Host", rewrite.host);
  append_end_to_end(out, head.fields, [&](std::string_view name) {
    return rewrite.authorization && among(credentials, name);
  });
  if (rewrite.authorization) {
    append_field(out, "Authorization", *rewrite.authorization);
  }
  append_field(out, "Via", head.http11 ? "1.1 sluice" : "1.0 sluice");
  append_framing(out, rewrite.framing);
  return out + "\r\n";
}

std::string client_answer_head(const UpstreamHead& head, const AnswerRewrite& rewrite) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", head.status, head.reason);
  append_end_to_end(out, head.fields, [&](std::string_view name) {
    return rewrite.hide_session && among(sessions, name);
  });
  const bool has_id = std::ranges::any_of(head.fields, [](const HeadField& field) {
    return equals_ignoring_case(field.name, "X-Request-Id");
  });
  if (!rewrite.request_id.empty() && !has_id) {
    append_field(out, "X-Request-Id", rewrite.request_id);
  }
  append_field(out, "Via", head.http11 ? "1.1 sluice" : "1.0 sluice");
  append_framing(out, rewrite.framing);
  if (rewrite.close) {
    append_field(out, "Connection", "close");
  }
  return out + "\r\n";
}

void append_chunk(std::string& out, std::string_view data) {
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", data.size());
  out.append(data).append("\r\n");
}

}  // namespace sluice::ingest

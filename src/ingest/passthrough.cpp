#include "passthrough.hpp"

#include <algorithm>
#include <array>

#include <boost/beast/core/string.hpp>
#include <fmt/format.h>

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

bool same(std::string_view a, std::string_view b) {
  return boost::beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

template <class List>
bool among(const List& names, std::string_view name) {
  return std::ranges::any_of(names, [&](std::string_view one) { return same(one, name); });
}

// The names that the `Connection` fields hold.
std::vector<std::string_view> named_by_connection(const std::vector<HeadField>& fields) {
  std::vector<std::string_view> names;
  for (const HeadField& field : fields) {
    std::string_view rest = same(field.name, "Connection") ? field.value : std::string_view();
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

// Percent-decoded once, in lower case; nothing when it is not properly encoded.
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
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

}  // namespace

bool is_passed_method(std::string_view method) {
  return std::ranges::find(methods, method) != methods.end();
}

PathVerdict judge_path(std::string_view path, bool with_credentials) {
  auto plain = decoded(path);
  if (!plain) {
    return PathVerdict::ambiguous;
  }
  bool login = false;
  std::string_view rest = std::string_view(*plain).substr(1);
  while (!rest.empty()) {
    std::string_view segment = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), segment.size() + 1));
    // Some servers cut parameters off.
    segment = segment.substr(0, segment.find(';'));
    if (segment.empty() || segment == "." || segment == "..") {
      return PathVerdict::ambiguous;
    }
    login = login || segment == "auth";
  }
  if (login) {
    return with_credentials ? PathVerdict::login : PathVerdict::plain;
  }
  std::string name = plain->substr(0, plain->find(';'));
  if (name.size() > 1 && name.back() == '/') {
    name.pop_back();
  }
  return find_route(name) ? PathVerdict::ambiguous : PathVerdict::plain;
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
  const bool has_id = std::ranges::any_of(
      head.fields, [](const HeadField& field) { return same(field.name, "X-Request-Id"); });
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

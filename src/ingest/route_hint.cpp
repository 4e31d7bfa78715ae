#include "route_hint.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <sluice/base/ascii.hpp>
#include <sluice/base/edit_distance.hpp>
#include <sluice/event/api_limits.hpp>
#include <sluice/event/event_type.hpp>

namespace sluice::ingest {
namespace {

// Paths come from strangers, and distances cost time: no route is half as long.
constexpr std::size_t guessed_bytes_max = 96;

using Words = std::vector<std::string>;

// A segment without what people write in several ways.
std::string word_of(std::string_view segment) {
  std::string word;
  for (const char c : segment) {
    if (c != '-' && c != '_' && c != '.' && c != ' ') {
      word += is_letter(c) ? static_cast<char>(c | 0x20) : c;
    }
  }
  return word;
}

// Without empty segments, such as a slash at the end leaves.
Words words_of(std::string_view path) {
  Words words;
  while (!path.empty()) {
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), segment.size() + 1));
    if (!segment.empty()) {
      words.push_back(word_of(segment));
    }
  }
  return words;
}

struct KnownRoute {
  std::string path;
  Words words;
  std::string action;  // of the event type in the path, as a word; empty: there is none
};

const std::vector<KnownRoute>& known_routes() {
  static const std::vector<KnownRoute> routes = [] {
    std::vector<KnownRoute> all;
    const auto add = [&](std::string path, std::string_view action) {
      Words words = words_of(path);
      all.push_back(
          {.path = std::move(path), .words = std::move(words), .action = word_of(action)});
    };
    for (const char* path : {"/v4/events/batch", "/v4/transactions", "/v4/transactions/batch",
                             "/v4/auth/login/profile", "/v4/auth/refresh/profile",
                             "/uauth/v2/auth/login/profile", "/livez", "/readyz"}) {
      add(path, "");
    }
    add(std::string(api::permission_check_path), "");
    for (const EventTypeInfo& type : event_types()) {
      add("/v4/events/" + std::string(type.path), type.action);
    }
    return all;
  }();
  return routes;
}

// Between words that may be each other with a slip of the pen: a third of the letters, up to three
// of them. More would make words of the API's other calls into ours.
std::optional<std::size_t> distance(std::string_view written, std::string_view meant) {
  const std::size_t slips = edit_distance(written, meant);
  const std::size_t slips_max = std::clamp<std::size_t>(meant.size() / 3, 1, 3);
  return slips <= slips_max ? std::optional(slips) : std::nullopt;
}

std::optional<std::size_t> distance(std::span<const std::string> written,
                                    std::span<const std::string> meant) {
  std::size_t slips = 0;
  for (std::size_t i = 0; i < meant.size(); ++i) {
    const auto slip = distance(written[i], meant[i]);
    if (!slip) {
      return std::nullopt;
    }
    slips += *slip;
  }
  return slips;
}

// Segments that were put before the path, or a first one that was left out, are a slip each.
std::optional<std::size_t> distance(const Words& written, const KnownRoute& route) {
  const std::span<const std::string> meant = route.words;
  const bool lacks_first = written.size() + 1 == meant.size();
  if (written.size() < meant.size() && !lacks_first) {
    return std::nullopt;
  }
  const auto compared = meant.subspan(lacks_first ? 1 : 0);
  const std::size_t before = written.size() - compared.size();
  auto slips = distance(std::span(written).subspan(before), compared);
  if (!slips && before == 0 && !lacks_first && !route.action.empty() &&
      written.back() == route.action) {
    slips = distance(std::span(written).first(2), meant.first(2));  // all but the last
  }
  return slips ? std::optional(*slips + before + (lacks_first ? 1 : 0)) : std::nullopt;
}

// Where the last segment was left out, the first route that has one there.
const KnownRoute* completed(const Words& written) {
  constexpr std::size_t words_min = 2;  // a version alone is near to everything
  const auto found = std::ranges::find_if(known_routes(), [&](const KnownRoute& route) {
    return written.size() >= words_min && route.words.size() == written.size() + 1 &&
           std::ranges::equal(std::span(route.words).first(written.size()), written);
  });
  return found == known_routes().end() ? nullptr : &*found;
}

// Where one kind was looked for under the other, as in /v4/events/transactions, the route without
// the first of them.
const KnownRoute* without_other_kind(const Words& written) {
  const auto is_kind = [](const std::string& word) {
    return word == "events" || word == "transactions";
  };
  const auto first = std::ranges::find_if(written, is_kind);
  if (first == written.end() || std::next(first) == written.end() || !is_kind(*std::next(first))) {
    return nullptr;
  }
  Words meant = written;
  meant.erase(meant.begin() + (first - written.begin()));
  const auto found = std::ranges::find(known_routes(), meant, &KnownRoute::words);
  return found == known_routes().end() ? nullptr : &*found;
}

}  // namespace

std::string nearest_route(std::string_view path) {
  const Words written = words_of(path.substr(0, guessed_bytes_max));
  if (path.size() > guessed_bytes_max || written.empty()) {
    return {};
  }
  const auto same = std::ranges::find(known_routes(), written, &KnownRoute::words);
  for (const KnownRoute* const route : {same == known_routes().end() ? nullptr : &*same,
                                        completed(written), without_other_kind(written)}) {
    if (route != nullptr) {
      return route->path;
    }
  }
  const KnownRoute* nearest = nullptr;
  std::size_t nearest_slips = 0;
  for (const KnownRoute& route : known_routes()) {
    auto slips = distance(written, route);
    if (!slips && edit_distance(path, route.path) <= 1) {
      slips = 1;  // such as another character for a slash
    }
    if (slips && (nearest == nullptr || *slips < nearest_slips)) {
      nearest = &route;
      nearest_slips = *slips;
    }
  }
  return nearest == nullptr ? std::string() : nearest->path;
}

std::string route_hint(std::string_view path) {
  const std::string route = nearest_route(path);
  return route.empty() || route == path ? std::string() : " Did you mean " + route + "?";
}

bool has_tracker_key(std::string_view target) {
  std::string_view query = target.substr(std::min(target.find('?'), target.size()));
  while (!query.empty()) {
    query.remove_prefix(1);  // the question mark, or the ampersand
    if (query.starts_with("token=")) {
      return true;
    }
    query.remove_prefix(std::min(query.find('&'), query.size()));
  }
  return false;
}

}  // namespace sluice::ingest

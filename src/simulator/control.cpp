#include "control.hpp"

#include <array>
#include <charconv>
#include <optional>
#include <string>

#include <fmt/format.h>

#include <sluice/base/json_text.hpp>
#include <sluice/base/percent.hpp>

namespace sluice::simulator {
namespace {

// How many entries a listing has unless told.
constexpr std::size_t entries_listed_default = 1'000;

// The value of a parameter of the query; none when it is not there.
std::optional<std::string> parameter(std::string_view target, std::string_view name) {
  const std::size_t start = target.find('?');
  std::string_view rest = start == target.npos ? "" : target.substr(start + 1);
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    const std::size_t equals = std::min(part.find('='), part.size());
    if (part.substr(0, equals) == name) {
      return decode_percent(part.substr(std::min(equals + 1, part.size())));
    }
  }
  return std::nullopt;
}

std::size_t number(std::string_view target, std::string_view name, std::size_t otherwise) {
  const std::string text = parameter(target, name).value_or("");
  std::size_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void append_entry(std::string& out, const LedgerEntry& entry) {
  const auto append = [&](std::string_view name, std::string_view value) {
    out += name;
    append_json_string(out, value);
  };
  append(R"({"salt":)", entry.salt);
  append(R"(,"time":)", entry.time);
  append(R"(,"profile":)", entry.profile);
  append(R"(,"action":)", entry.action);
  append(R"(,"label":)", entry.label);
  fmt::format_to(std::back_inserter(out),
                 R"(,"count":{},"overwrites":{},"first_seq":{},"last_seq":{},"body":{}}})",
                 entry.count, entry.overwrites, entry.first_seq, entry.last_seq, entry.body);
}

Answer ok(std::string body) { return {.status = 200, .body = std::move(body)}; }

Answer show_ledger(World& world, const Request& request) {
  const LedgerSummary summary = world.ledger.summary();
  std::string out =
      fmt::format(R"({{"unique":{},"deliveries":{},"repetitions":{},"overwrites":{})",
                  summary.unique, summary.deliveries, summary.repetitions, summary.overwrites);
  if (parameter(request.target, "summary").value_or("0") == "1") {
    return ok(out + "}");
  }
  const std::string profile = parameter(request.target, "profile").value_or("");
  const std::string salt = parameter(request.target, "salt").value_or("");
  out += R"(,"entries":[)";
  for (const LedgerEntry& entry :
       world.ledger.entries({.profile = profile,
                             .salt = salt,
                             .offset = number(request.target, "offset", 0),
                             .limit = number(request.target, "limit", entries_listed_default)})) {
    out += out.ends_with('[') ? "" : ",";
    append_entry(out, entry);
  }
  return ok(out + "]}");
}

Answer show_stats(World& world, const Request&) { return ok(to_json(world.stats())); }

Answer reset(World& world, const Request&) {
  world.reset();
  return ok("{}");
}

Answer show_faults(World& world, const Request&) { return ok(world.faults.to_json()); }

Answer set_faults(World& world, const Request& request) {
  Result<std::vector<Fault>> faults = parse_faults(request.body);
  if (!faults) {
    return error_answer(400, faults.error().message, request.target, request.now);
  }
  world.faults.replace(std::move(*faults));
  return show_faults(world, request);
}

Answer clear_faults(World& world, const Request& request) {
  world.faults.replace({});
  return show_faults(world, request);
}

struct ControlRoute {
  std::string_view method;
  std::string_view path;
  Answer (*answer)(World&, const Request&);
};
constexpr std::array<ControlRoute, 6> routes{{
    {"GET", "/sim/ledger", show_ledger},
    {"GET", "/sim/stats", show_stats},
    {"POST", "/sim/reset", reset},
    {"GET", "/sim/faults", show_faults},
    {"POST", "/sim/faults", set_faults},
    {"DELETE", "/sim/faults", clear_faults},
}};

}  // namespace

Answer answer_control(World& world, const Request& request) {
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  for (const ControlRoute& route : routes) {
    if (route.path == path && route.method == request.method) {
      return route.answer(world, request);
    }
  }
  return error_answer(404, "no such endpoint", path, request.now);
}

}  // namespace sluice::simulator

#include "top_text.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <simdjson.h>

namespace sluice::cli {
namespace {

namespace dom = simdjson::dom;

// Throws simdjson's exception when it is not there.
std::string text_at(const dom::element& object, std::string_view name) {
  return std::string(object[name].get_string().value());
}

TopWorkspace read_workspace(const dom::element& from) {
  TopWorkspace workspace{.name = text_at(from, "name"),
                         .state = "delivering",
                         .delivered = from["delivered"].get_uint64().value(),
                         .buffered = from["buffered"].get_uint64().value(),
                         .oldest_s = from["oldest_event_age_s"].get_double().value(),
                         .pressure = from["pressure"].get_double().value(),
                         .in_flight = from["in_flight"].get_uint64().value(),
                         .concurrency_limit = from["concurrency_limit"].get_uint64().value()};
  if (from["parked"].is_string()) {
    workspace.state = "parked: " + text_at(from, "parked");
  } else if (text_at(from, "circuit") != "closed") {
    workspace.state = "circuit " + text_at(from, "circuit");
  }
  if (double skew = 0; from["clock_skew_s"].get(skew) == simdjson::SUCCESS) {
    workspace.clock_skew_s = skew;
  }
  return workspace;
}

// Below, two clocks are taken to agree.
constexpr double skew_s_min = 5;

// "12345 (678/s)"
std::string counted(std::uint64_t now, std::optional<std::uint64_t> before, double seconds) {
  std::string text = fmt::format("{}", now);
  if (before && seconds > 0) {
    text += fmt::format(" ({:.0f}/s)", static_cast<double>(now - std::min(now, *before)) / seconds);
  }
  return text;
}

}  // namespace

Result<TopState> parse_status(std::string_view json, MonoTime at) {
  try {
    dom::parser parser;
    const dom::element root = parser.parse(simdjson::padded_string(json));
    TopState state{.at = at,
                   .version = text_at(root, "version"),
                   .not_ready = text_at(root, "not_ready"),
                   .uptime_s = root["uptime_s"].get_double().value(),
                   .accepted = root["accepted"].get_uint64().value(),
                   .rejected = 0,
                   .duplicates = root["duplicates"].get_uint64().value(),
                   .dead_letters = root["dead_letters"]["stored"].get_uint64().value(),
                   .connections = root["connections"].get_uint64().value(),
                   .workspaces = {}};
    // Named: a loop keeps what it goes through alive, and not what that came from.
    const dom::object rejected = root["rejected"].get_object().value();
    for (const auto& reason : rejected) {
      state.rejected += reason.value.get_uint64().value();
    }
    const dom::array workspaces = root["workspaces"].get_array().value();
    for (const dom::element& workspace : workspaces) {
      state.workspaces.push_back(read_workspace(workspace));
    }
    return state;
  } catch (const simdjson::simdjson_error& error) {
    return failure(
        std::errc::protocol_error,
        std::string("what answers there is no gateway of this version: ") + error.what());
  }
}

std::string top_text(const TopState& now, const std::optional<TopState>& before,
                     std::size_t lines_max, std::size_t columns_max) {
  const double seconds = before ? std::chrono::duration<double>(now.at - before->at).count() : 0;
  std::vector<std::string> lines{
      fmt::format("sluice {}, up for {:.0f} s: {}", now.version, now.uptime_s,
                  now.not_ready.empty() ? "ready" : "not ready: " + now.not_ready),
      fmt::format(
          "accepted {}  rejected {}  duplicates {}  dead letters {}  connections {}",
          counted(now.accepted, before ? std::optional(before->accepted) : std::nullopt, seconds),
          now.rejected, now.duplicates, now.dead_letters, now.connections),
      "",
      fmt::format("{:<14} {:<20} {:>16} {:>9} {:>9} {:>5} {:>8}", "WORKSPACE", "STATE", "DELIVERED",
                  "WAITING", "OLDEST", "FULL", "REQUESTS")};
  for (std::size_t i = 0; i < now.workspaces.size(); ++i) {
    const TopWorkspace& workspace = now.workspaces[i];
    const bool known = before && i < before->workspaces.size();
    lines.push_back(fmt::format(
        "{:<14} {:<20} {:>16} {:>9} {:>7.1f} s {:>4.0f}% {:>8}", workspace.name, workspace.state,
        counted(workspace.delivered,
                known ? std::optional(before->workspaces[i].delivered) : std::nullopt, seconds),
        workspace.buffered, workspace.oldest_s, 100 * workspace.pressure,
        fmt::format("{}/{}", workspace.in_flight, workspace.concurrency_limit)));
    if (std::abs(workspace.clock_skew_s) >= skew_s_min) {
      lines.push_back(fmt::format("  the gateway's clock is {:.0f} s {} the API's",
                                  std::abs(workspace.clock_skew_s),
                                  workspace.clock_skew_s > 0 ? "ahead of" : "behind"));
    }
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(lines.size(), lines_max); ++i) {
    text += lines[i].substr(0, columns_max) + "\n";
  }
  return text;
}

}  // namespace sluice::cli

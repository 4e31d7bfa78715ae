// The API without its sockets: a request in, an answer out. Everything that the simulator decides
// is decided here; the session only carries it out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include <sluice/base/clock.hpp>
#include <sluice/event/event_type.hpp>
#include <sluice/event/kind.hpp>

#include "answer.hpp"
#include "world.hpp"

namespace sluice::simulator {

// One request, as views that live for the call. Absent headers are empty.
struct Request {
  std::string_view method;
  std::string_view target;  // path and query
  std::string_view authorization;
  std::string_view content_type;
  std::string_view content_encoding;
  std::string_view api_version;
  // Parsed in place when its capacity leaves simdjson::SIMDJSON_PADDING bytes, else copied first.
  const std::string& body;
  WallTime now;
  MonoTime mono_now;
};

// What a route takes: it decides how the body is read.
enum class Endpoint : std::uint8_t {
  batch,   // of one kind
  single,  // one event or transaction
  login,
  refresh,
  permission_check,
  other_service,  // profiles, AI events, catalogues: taken, not looked at and not kept
};

// One per thread, as it keeps the parser and its buffers; the World is shared.
class ApiModel {
 public:
  explicit ApiModel(World& world) : world_(world) {}

  [[nodiscard]] Answer handle(const Request& request);

 private:
  // Where a path leads.
  struct Route {
    Endpoint endpoint;
    std::string_view method;
    std::optional<EventType> type;  // that the path names
    bool authorized;                // whether credentials are asked for
    Schema schema = Schema::event;  // of what it takes, where that is looked at
  };

  [[nodiscard]] static std::optional<Route> find_route(std::string_view path);
  [[nodiscard]] Answer answer_with_faults(const Request& request, std::string_view path,
                                          const std::optional<Route>& route);
  [[nodiscard]] Answer carry_out(const Request& request, std::string_view path,
                                 const std::optional<Route>& route, const FaultPlan& plan);
  [[nodiscard]] std::optional<Answer> refuse_head(const Request& request, std::string_view path,
                                                  const Route& route) const;
  [[nodiscard]] std::optional<Answer> refuse_authorization(const Request& request,
                                                           std::string_view path) const;
  [[nodiscard]] Answer log_in(const Request& request, std::string_view path);
  [[nodiscard]] Answer issue_token(WallTime now);
  [[nodiscard]] Answer tell_permissions(const Request& request, std::string_view path);
  [[nodiscard]] simdjson::simdjson_result<simdjson::dom::element> parse(const std::string& body);
  [[nodiscard]] Answer take_batch(const Request& request, std::string_view path, const Route& route,
                                  const FaultPlan& plan);
  [[nodiscard]] Answer take_single(const Request& request, std::string_view path,
                                   const Route& route, const FaultPlan& plan);
  [[nodiscard]] std::expected<Arrival, Violation> take_item(simdjson::dom::element item,
                                                            const Route& route, WallTime now,
                                                            const FaultPlan& plan);
  void record();

  World& world_;
  simdjson::dom::parser parser_;
  std::string narrowed_;  // see wide_numbers.hpp
  std::vector<Arrival> arrivals_;
  std::vector<Refusal> refusals_;
  std::vector<std::string_view> bodies_;
};

}  // namespace sluice::simulator

#include <algorithm>
#include <chrono>
#include <memory>

#include <fmt/format.h>

#include "kinds.hpp"
#include "mapping_text.hpp"
#include "tables.hpp"

namespace sluice::config {

using namespace std::chrono_literals;

namespace {

// Each is compared with the one of the same name.
struct Workspaces : Maps<Workspace> {
  [[nodiscard]] static std::string schema() {
    return fmt::format(R"("type": "array", "minItems": 1, "items": {{{}}})", defined("workspace"));
  }
  static void reconcile(const Takes& takes, const std::string& path,
                        std::vector<Workspace>& running, const std::vector<Workspace>& wanted) {
    if (!std::ranges::equal(running, wanted, {}, &Workspace::name, &Workspace::name)) {
      static_cast<void>(takes(path + " (added, removed or in another order)", OnReload::restart));
    }
    for (Workspace& workspace : running) {
      const auto found = std::ranges::find(wanted, workspace.name, &Workspace::name);
      if (found != wanted.end()) {
        reconcile_keys(takes, "workspace " + workspace.name + ": ", workspace, *found);
      }
    }
  }
};

// Rules do not compare; what they are printed as does.
struct Sources {
  using List = std::vector<std::shared_ptr<const mapping::Source>>;

  [[nodiscard]] static std::string schema() {
    return fmt::format(R"("type": ["array", "null"], "items": {{{}}})", defined("source"));
  }
  static void write(Writer& out, const List& sources) {
    out.list(sources, [&](const auto& source) { write_keys(out, *source); });
  }
  [[nodiscard]] static std::string json(const List&) { return "[]"; }
  [[nodiscard]] static bool same(const List& one, const List& other) {
    return printed(one) == printed(other);
  }

 private:
  static std::string printed(const List& sources) {
    Writer out;
    write(out, sources);
    return out.str();
  }
};

// They have a section of their own.
constexpr auto limits_of = [](auto& config) -> auto& { return config.ingest.limits; };

Key<mapping::Source> rules_key() {
  auto made = other_key<mapping::Source>(
      "rules", R"("type": "array", "minItems": 1, "items": {"$ref": "#/$defs/rule"})",
      "Or several of both, of which the first that fits makes the event.");
  made.write = [](Writer& out, const mapping::Source& source) {
    out.key("rules");
    write_rules(out, source.rules);
  };
  return made;
}

}  // namespace

template <>
const Table<Config>& table<Config>() {
  static const Table<Config> rows{
      "file",
      required_map,
      {
          key("ingest", &Config::ingest, Map<Ingest>{}, "Where events come in.").each_key(),
          key_of<Config>(
              "limits", limits_of, Map<Limits>{},
              "What one client, connection, request or event may take, beside the limits in "
              "`ingest`. [Security](security.md#limits) lists all of them, with what counts each."),
          key("admin", &Config::admin, Map<Admin>{},
              "Metrics, probes, status, dead letters and the console.")
              .each_key(),
          key("workspaces", &Config::workspaces, Workspaces{},
              "Where events go: at least one. The first is that of anonymous producers.")
              .required()
              .each_key(),
          key("buffer", &Config::buffer, Map<Buffer>{}, "Accepted events until they are delivered.")
              .each_key(),
          key("batch", &Config::batch, Map<Batch>{}, "When a batch closes.").restart(),
          key("delivery", &Config::delivery, Map<Delivery>{}, "Requests to the API.").restart(),
          key("passthrough", &Config::passthrough, Map<Passthrough>{},
              "API calls that are passed through, of workspaces with `passthrough: true`. "
              "Connections are opened within `delivery.connect_timeout`."),
          key("dedup", &Config::dedup, Map<Dedup>{}, "Repeated events, recognised by their salts.")
              .restart(),
          key("dead_letter", &Config::dead_letter, Map<DeadLetter>{},
              "Events that can never be delivered.")
              .restart(),
          key("drain_timeout", &Config::drain_timeout, within(duration, 0ms, 1h),
              "On SIGTERM: how long to go on delivering. With the memory buffer, what is left then "
              "is lost; with the disk buffer it is safe, and not waited for longer than "
              "`buffer.drain_timeout`."),
          key("sources", &Config::sources, Sources{},
              "Raw events, and the rules that make events of the API of them."),
          key("log", &Config::log, Map<Log>{}, "Logs, on standard error."),
      }};
  return rows;
}

template <>
const Table<mapping::Source>& table<mapping::Source>() {
  static const Table<mapping::Source> rows{
      "source",
      R"("type": "object", "oneOf": [{"required": ["event"]}, {"required": ["transaction"]}, )"
      R"({"required": ["rules"]}])",
      {
          key("name", &mapping::Source::name, Text{defined("name")},
              "Unique. The path: `POST /v1/events/{name}`.")
              .required(),
          key("workspace", &mapping::Source::workspace, Text{defined("name")},
              "Where its events go: the name of a workspace. Needed when there are several "
              "workspaces.")
              .without_it("the only one"),
          key("on_unmatched", &mapping::Source::ignore_unmatched, one_of(on_unmatched_names),
              "What becomes of a raw event that no rule fits: `reject` refuses it, `ignore` takes "
              "it and makes nothing of it, which the answer and a metric count.")
              .without_it("`reject`")
              .title("`reject`, `ignore`"),
          key("success_status", &mapping::Source::success_status, one_of(success_status_names),
              "The status of an answer that takes the request, for callers that want their own: "
              "200, 201, 202 or 204 (without a body).")
              .without_it("202")
              .title("a status"),
          other_key<mapping::Source>("event", defined("event"),
                                     "The event of the API that a raw event becomes.")
              .without_it("one of these"),
          other_key<mapping::Source>("transaction", defined("transaction"), "Or the transaction.")
              .without_it(""),
          rules_key().without_it("").title("list of maps"),
      }};
  return rows;
}

}  // namespace sluice::config

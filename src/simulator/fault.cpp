#include "fault.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <simdjson.h>

#include <sluice/base/json_text.hpp>
#include <sluice/event/kind.hpp>

namespace sluice::simulator {
namespace {

namespace dom = simdjson::dom;
using enum FaultAction;

constexpr std::array<std::string_view, fault_action_count> action_names{
    "status",    "latency",    "reset_before", "reset_after", "hang",
    "slow_body", "cut_body",   "malformed",    "deprecated",  "poison",
    "revoke",    "rate_limit", "web_page",     "error_object"};

std::optional<FaultAction> action_from_name(std::string_view name) {
  const auto found = std::ranges::find(action_names, name);
  return found == action_names.end()
             ? std::nullopt
             : std::optional(static_cast<FaultAction>(std::distance(action_names.begin(), found)));
}

bool set_text(std::string& target, const Scalar& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text != nullptr) {
    target = *text;
  }
  return text != nullptr;
}

bool set_number(double& target, const Scalar& value, double least,
                double most = std::numeric_limits<double>::max()) {
  const auto* number = std::get_if<double>(&value);
  const bool fits = number != nullptr && *number >= least && *number <= most;
  if (fits) {
    target = *number;
  }
  return fits;
}

bool set_count(std::optional<std::uint64_t>& target, const Scalar& value) {
  double number = 0;
  const bool fits = set_number(number, value, 1, 1e15);
  target = static_cast<std::uint64_t>(number);
  return fits;
}

bool set_status(unsigned& target, const Scalar& value) {
  double number = 0;
  const bool fits = set_number(number, value, 200, 599);
  target = static_cast<unsigned>(number);
  return fits;
}

bool set_retry_after(std::string& target, const Scalar& value) {
  double number = 0;
  if (set_number(number, value, 0, 1e9)) {
    target = fmt::format("{:.0f}", number);
    return true;
  }
  return set_text(target, value);
}

// A key of a fault's JSON: which action it implies, and how it is set.
struct KeySpec {
  std::string_view name;
  std::optional<FaultAction> implies;
  bool (*set)(Fault&, const Scalar&);
};
using S = const Scalar&;
constexpr std::array<KeySpec, 18> keys{{
    {"path", {}, [](Fault& f, S v) { return set_text(f.path, v); }},
    {"count", {}, [](Fault& f, S v) { return set_count(f.count, v); }},
    {"probability", {}, [](Fault& f, S v) { return set_number(f.probability, v, 0, 1); }},
    {"status", status, [](Fault& f, S v) { return set_status(f.status, v); }},
    {"retry_after", {}, [](Fault& f, S v) { return set_retry_after(f.retry_after, v); }},
    {"body", {}, [](Fault& f, S v) { return set_text(f.body, v); }},
    {"content_type", {}, [](Fault& f, S v) { return set_text(f.content_type.emplace(), v); }},
    {"latency_ms", latency,
     [](Fault& f, S v) {
       return set_number(f.latency_min_ms, v, 0) && set_number(f.latency_max_ms, v, 0);
     }},
    {"latency_min_ms", latency, [](Fault& f, S v) { return set_number(f.latency_min_ms, v, 0); }},
    {"latency_max_ms", latency, [](Fault& f, S v) { return set_number(f.latency_max_ms, v, 0); }},
    {"latency_mean_ms", latency, [](Fault& f, S v) { return set_number(f.latency_mean_ms, v, 0); }},
    {"hang_ms", hang, [](Fault& f, S v) { return set_number(f.hang_ms, v, 0); }},
    {"slow_ms", slow_body, [](Fault& f, S v) { return set_number(f.slow_ms, v, 0); }},
    {"rate_limit", rate_limit, [](Fault& f, S v) { return set_number(f.rate_limit, v, 1e-3); }},
    {"burst", {}, [](Fault& f, S v) { return set_number(f.burst, v, 1); }},
    {"pointer", poison, [](Fault& f, S v) { return set_text(f.pointer, v); }},
    {"equals", poison,
     [](Fault& f, S v) {
       f.equals = v;
       return true;
     }},
    {"contains", poison, [](Fault& f, S v) { return set_text(f.contains, v); }},
}};

std::optional<Scalar> scalar_of(dom::element element) {
  std::string_view text;
  double number = 0;
  if (element.get(text) == simdjson::SUCCESS) {
    return Scalar(std::string(text));
  }
  return element.get(number) == simdjson::SUCCESS ? std::optional(Scalar(number)) : std::nullopt;
}

std::unexpected<Error> refusal(std::string_view what) {
  return failure(std::errc::invalid_argument, fmt::format("fault: {}", what));
}

Result<void> check_complete(const Fault& fault) {
  if (fault.action == status && fault.status == 0) {
    return refusal("the action status needs a status");
  }
  if (fault.action == rate_limit && fault.rate_limit == 0) {
    return refusal("the action rate_limit needs a rate_limit");
  }
  if (fault.action == poison &&
      (!fault.pointer.starts_with('/') || (!fault.equals && fault.contains.empty()))) {
    return refusal("the action poison needs a pointer, and equals or contains");
  }
  if (fault.latency_max_ms < fault.latency_min_ms) {
    return refusal("latency_max_ms is below latency_min_ms");
  }
  return {};
}

// Sets one key; the action that it implies goes to `implied`.
Result<void> set_key(Fault& fault, std::optional<FaultAction>& implied, std::string_view key,
                     const Scalar& value) {
  const auto spec = std::ranges::find(keys, key, &KeySpec::name);
  if (spec == keys.end()) {
    return refusal(fmt::format("unknown key \"{}\"", key));
  }
  if (!spec->set(fault, value)) {
    return refusal(fmt::format("\"{}\" has a value of the wrong type or out of range", key));
  }
  implied = spec->implies ? spec->implies : implied;
  return {};
}

Result<Fault> parse_fault(dom::element element) {
  Fault fault{.text = simdjson::minify(element)};
  std::optional<FaultAction> stated;
  std::optional<FaultAction> implied;
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) {
    return refusal("is not an object");
  }
  for (const auto [key, element_value] : object) {
    const std::optional<Scalar> value = scalar_of(element_value);
    if (!value) {
      return refusal(fmt::format("\"{}\" must be a number or a string", key));
    }
    if (key == "action") {
      const auto* name = std::get_if<std::string>(&*value);
      stated = name == nullptr ? std::nullopt : action_from_name(*name);
      if (!stated) {
        return refusal("unknown action");
      }
    } else if (auto set = set_key(fault, implied, key, *value); !set) {
      return std::unexpected(set.error());
    }
  }
  if (!stated && !implied) {
    return refusal("has no action");
  }
  fault.action = stated ? *stated : *implied;
  if (auto complete = check_complete(fault); !complete) {
    return std::unexpected(complete.error());
  }
  return fault;
}

// The JSON of the compact form.
std::string expand(std::string_view text) {
  std::string out = "{";
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const std::size_t equals = part.find('=');
    const bool is_action = equals == part.npos;
    const std::string_view value = is_action ? part : part.substr(equals + 1);
    append_json_string(out, is_action ? "action" : part.substr(0, equals));
    out += ':';
    double number = 0;
    const auto read = std::from_chars(value.begin(), value.end(), number);
    if (read.ec == std::errc() && read.ptr == value.end() && std::isfinite(number)) {
      fmt::format_to(std::back_inserter(out), "{}", number);
    } else {
      append_json_string(out, value);
    }
    out += text.empty() ? "" : ",";
  }
  return out + "}";
}

bool matches(const Fault& fault, std::string_view path) {
  const std::string_view pattern = fault.path;
  if (pattern.empty()) {
    return fault.action == revoke ||
           std::ranges::find(kinds(), path, &KindInfo::path) != kinds().end();
  }
  return pattern.ends_with('*') ? path.starts_with(pattern.substr(0, pattern.size() - 1))
                                : path == pattern;
}

bool adds_to_others(FaultAction action) {
  return action == latency || action == deprecated || action == poison;
}

// In [0, 1).
double draw(Rng& rng) { return static_cast<double>(rng() >> 11) * 0x1p-53; }

std::chrono::nanoseconds draw_latency(const Fault& fault, Rng& rng) {
  const double u = draw(rng);
  const double ms = fault.latency_mean_ms > 0
                        ? -fault.latency_mean_ms * std::log1p(-u)
                        : fault.latency_min_ms + u * (fault.latency_max_ms - fault.latency_min_ms);
  return std::chrono::nanoseconds(std::llround(ms * 1e6));
}

}  // namespace

std::string_view name_of(FaultAction action) {
  return action_names[static_cast<std::size_t>(action)];
}

Result<std::vector<Fault>> parse_faults(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  const bool is_json = text.starts_with('[') || text.starts_with('{');
  dom::parser parser;
  dom::element root;
  if (parser.parse(is_json ? std::string(text) : expand(text)).get(root) != simdjson::SUCCESS) {
    return refusal("is not valid JSON");
  }
  std::vector<Fault> faults;
  dom::array list;
  if (root.get(list) != simdjson::SUCCESS) {
    auto fault = parse_fault(root);
    if (!fault) {
      return std::unexpected(fault.error());
    }
    faults.push_back(std::move(*fault));
    return faults;
  }
  for (const dom::element element : list) {
    auto fault = parse_fault(element);
    if (!fault) {
      return std::unexpected(fault.error());
    }
    faults.push_back(std::move(*fault));
  }
  return faults;
}

void FaultSet::replace(std::vector<Fault> faults) {
  const std::lock_guard lock(mutex_);
  states_.clear();
  for (Fault& fault : faults) {
    states_.push_back({.fault = std::make_shared<const Fault>(std::move(fault)),
                       .rng = Rng(seed_ + states_.size())});
  }
}

// A token bucket; it is full when the first request comes.
bool FaultSet::takes_token(State& state, MonoTime now) {
  const Fault& fault = *state.fault;
  const double elapsed_s = state.filled_at
                               ? std::chrono::duration<double>(now - *state.filled_at).count()
                               : std::numeric_limits<double>::infinity();
  state.tokens = std::min(fault.burst, state.tokens + elapsed_s * fault.rate_limit);
  state.filled_at = now;
  if (state.tokens < 1) {
    return false;
  }
  state.tokens -= 1;
  return true;
}

bool FaultSet::fires(State& state, MonoTime now) {
  const Fault& fault = *state.fault;
  if (fault.count && state.fired >= *fault.count) {
    return false;
  }
  if (fault.probability < 1 && draw(state.rng) >= fault.probability) {
    return false;
  }
  return fault.action != rate_limit || !takes_token(state, now);
}

void FaultSet::apply(State& state, FaultPlan& plan) {
  const Fault& fault = *state.fault;
  if (fault.action == poison) {
    plan.poisons.push_back(state.fault);
    return;
  }
  ++state.fired;
  ++fired_[static_cast<std::size_t>(fault.action)];
  if (fault.action == latency) {
    plan.delay += draw_latency(fault, state.rng);
  } else if (fault.action == deprecated) {
    plan.deprecated = true;
  } else {
    plan.decisive = state.fault;
    if (fault.action == rate_limit) {
      const double wait_s = std::ceil((1 - state.tokens) / fault.rate_limit);
      plan.wait_for_token = std::chrono::seconds(std::max(1LL, std::llround(wait_s)));
    }
  }
}

FaultPlan FaultSet::plan(std::string_view path, MonoTime now) {
  FaultPlan plan;
  const std::lock_guard lock(mutex_);
  for (State& state : states_) {
    const bool open = adds_to_others(state.fault->action) || plan.decisive == nullptr;
    if (open && matches(*state.fault, path) && fires(state, now)) {
      apply(state, plan);
    }
  }
  return plan;
}

void FaultSet::count_poisoned() {
  const std::lock_guard lock(mutex_);
  ++fired_[static_cast<std::size_t>(poison)];
}

FaultCounts FaultSet::fired() const {
  const std::lock_guard lock(mutex_);
  return fired_;
}

void FaultSet::reset_fired() {
  const std::lock_guard lock(mutex_);
  fired_ = {};
}

std::string FaultSet::to_json() const {
  const std::lock_guard lock(mutex_);
  std::string out = "[";
  for (const State& state : states_) {
    out += out.size() > 1 ? "," : "";
    fmt::format_to(std::back_inserter(out), R"({{"fault":{},"fired":{}}})", state.fault->text,
                   state.fired);
  }
  return out + "]";
}

}  // namespace sluice::simulator

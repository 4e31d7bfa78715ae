#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>
#include <system_error>

#include <simdjson.h>

#include <sluice/base/assert.hpp>
#include <sluice/deliver/classify.hpp>

namespace sluice::deliver {
namespace {

constexpr std::array<OutcomeInfo, outcome_count> outcome_table{{
    {Outcome::delivered, "delivered", Treatment::complete, false, false},
    {Outcome::partially_delivered, "partially_delivered", Treatment::complete, false, false},
    {Outcome::throttled, "throttled", Treatment::hold, false, true},
    {Outcome::transient, "transient", Treatment::back_off, true, true},
    {Outcome::ambiguous, "ambiguous", Treatment::back_off, true, true},
    {Outcome::too_large, "too_large", Treatment::shrink, false, false},
    {Outcome::rejected, "rejected", Treatment::bisect, false, false},
    {Outcome::unauthorised, "unauthorised", Treatment::refresh, false, false},
    {Outcome::misrouted, "misrouted", Treatment::park, false, false},
    {Outcome::stopped, "stopped", Treatment::stop, false, false},
}};

Outcome classify_client_error(unsigned status) {
  switch (status) {
    case 401:
    case 403:
      return Outcome::unauthorised;
    case 408:  // the upstream did not get the request in time
    case 425:  // too early
      return Outcome::transient;
    case 413:
      return Outcome::too_large;
    case 429:
      return Outcome::throttled;
    case 402:  // payment required: the account, not the events
    case 404:
    case 405:
    case 406:
    case 407:  // a proxy wants credentials that we do not have
    case 410:
    case 411:  // something on the way does not understand the request that we always make
    case 414:
    case 415:
    case 421:
    case 426:
    case 431:
      return Outcome::misrouted;
    default:
      return Outcome::rejected;
  }
}

Outcome classify_status(const UpstreamAnswer& answer) {
  switch (answer.status / 100) {
    case 2:
      return answer.status == 207 ? Outcome::partially_delivered : Outcome::delivered;
    case 3:
      return Outcome::misrouted;
    case 4:
      return classify_client_error(answer.status);
    case 5:
      return answer.status == 503 && answer.retry_after ? Outcome::throttled : Outcome::transient;
    default:
      return Outcome::ambiguous;  // no final status of HTTP
  }
}

// The number of a field such as [2].params.sku or events[2]; that of products[2].sku is the
// product's.
std::optional<std::size_t> position_in_field(std::string_view field) {
  constexpr std::string_view events = "events";
  field.remove_prefix(field.starts_with(events) ? events.size() : 0);
  if (!field.starts_with('[')) {
    return std::nullopt;
  }
  std::size_t position = 0;
  const char* const end = field.data() + field.size();
  const auto [after, error] = std::from_chars(field.data() + 1, end, position);
  return error == std::errc{} && after != end && *after == ']' ? std::optional(position)
                                                               : std::nullopt;
}

// Whether a body that cannot be read may have been, or begun, one that names events.
bool may_name_events(const UpstreamAnswer& answer) {
  const std::size_t begin = answer.body.find_first_not_of(" \t\r\n");
  return answer.body_is_cut ||
         (begin != std::string::npos && (answer.body[begin] == '{' || answer.body[begin] == '['));
}

std::vector<std::size_t> all_positions(std::size_t event_count) {
  std::vector<std::size_t> positions(event_count);
  std::iota(positions.begin(), positions.end(), std::size_t{0});
  return positions;
}

std::optional<std::size_t> position_of(simdjson::dom::element entry) {
  std::uint64_t index = 0;
  if (entry["index"].get(index) == simdjson::SUCCESS) {
    return index;
  }
  std::string_view field;
  return entry["field"].get(field) == simdjson::SUCCESS ? position_in_field(field) : std::nullopt;
}

}  // namespace

const std::array<OutcomeInfo, outcome_count>& outcomes() { return outcome_table; }

const OutcomeInfo& info(Outcome outcome) {
  const OutcomeInfo& found = outcome_table.at(static_cast<std::size_t>(outcome));
  SLUICE_ASSERT(found.outcome == outcome);
  return found;
}

Outcome classify(const UpstreamAnswer& answer) {
  switch (answer.failure) {
    case Failure::none:
      return classify_status(answer);
    case Failure::resolve:
    case Failure::connect:
    case Failure::tls:
    case Failure::not_sent:
      return Outcome::transient;
    case Failure::no_answer:
    case Failure::answer_timeout:
    case Failure::malformed_answer:
      return Outcome::ambiguous;
    case Failure::credentials:
      return Outcome::unauthorised;
    case Failure::stopped:
      return Outcome::stopped;
  }
  SLUICE_ASSERT(false && "every failure is classified");
  return Outcome::ambiguous;
}

std::vector<std::size_t> rejected_positions(const UpstreamAnswer& answer, std::size_t event_count) {
  std::vector<std::size_t> positions;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(simdjson::padded_string(answer.body)).get(root) != simdjson::SUCCESS) {
    return may_name_events(answer) ? all_positions(event_count) : positions;
  }
  simdjson::dom::array entries;
  if (root.get(entries) != simdjson::SUCCESS && root["errors"].get(entries) != simdjson::SUCCESS) {
    return positions;
  }
  for (const simdjson::dom::element entry : entries) {
    const std::optional<std::size_t> position = position_of(entry);
    if (position && *position >= event_count) {
      return all_positions(event_count);
    }
    if (position) {
      positions.push_back(*position);
    }
  }
  std::ranges::sort(positions);
  const auto repeated = std::ranges::unique(positions);
  positions.erase(repeated.begin(), repeated.end());
  return positions;
}

}  // namespace sluice::deliver

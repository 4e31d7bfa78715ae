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

}  // namespace

Outcome classify_status(unsigned status, bool asks_to_wait) {
  switch (status / 100) {
    case 2:
      return status == 207 ? Outcome::partially_delivered : Outcome::delivered;
    case 3:
      return Outcome::misrouted;
    case 4:
      return classify_client_error(status);
    case 5:
      return status == 503 && asks_to_wait ? Outcome::throttled : Outcome::transient;
    default:
      return Outcome::ambiguous;  // no final status of HTTP
  }
}

const std::array<OutcomeInfo, outcome_count>& outcomes() { return outcome_table; }

const OutcomeInfo& info(Outcome outcome) {
  const OutcomeInfo& found = outcome_table.at(static_cast<std::size_t>(outcome));
  SLUICE_ASSERT(found.outcome == outcome);
  return found;
}

Outcome classify(const UpstreamAnswer& answer) {
  switch (answer.failure) {
    case Failure::none:
      return classify_status(answer.status, answer.retry_after.has_value());
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
    case Failure::wrong_login:
      return Outcome::misrouted;
    case Failure::stopped:
      return Outcome::stopped;
  }
  SLUICE_ASSERT(false && "every failure is classified");
  return Outcome::ambiguous;
}

}  // namespace sluice::deliver

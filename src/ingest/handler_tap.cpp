#include <algorithm>

#include <sluice/event/traceparent.hpp>
#include <sluice/tap/text.hpp>

#include "handler.hpp"

namespace sluice::ingest {
namespace {

// Whether what is said about the event may quote it.
bool quotes_values(const normalise::Rejection& rejection, const Admitted& admitted) {
  using normalise::RejectReason;
  return admitted.source != nullptr || rejection.reason == RejectReason::type_unknown ||
         rejection.reason == RejectReason::action_invalid ||
         rejection.reason == RejectReason::action_not_allowed;
}

tap::Mistake mistake_of(const normalise::Rejection& rejection, const Admitted& admitted) {
  return {.index = rejection.index,
          .code = normalise::code_of(rejection.reason),
          .reason = normalise::to_string(rejection.reason),
          .field = rejection.field,
          .message = rejection.message,
          .quotes_values = quotes_values(rejection, admitted)};
}

std::vector<tap::Doubt> doubts_about(const normalise::Normalised& events, std::uint32_t event) {
  std::vector<tap::Doubt> doubts;
  for (const normalise::Warning& warning :
       std::ranges::equal_range(events.warnings, event, {}, &normalise::Warning::index)) {
    doubts.push_back({.index = event,
                      .rule = normalise::info(warning.rule).name,
                      .field = warning.field,
                      .message = warning.message});
  }
  return doubts;
}

tap::Origin origin_of(const Admitted& admitted, tap::Outcome outcome) {
  return {.outcome = outcome,
          .workspace = admitted.options->tables->workspaces[admitted.workspace].name,
          .source = admitted.source == nullptr ? std::string_view() : admitted.source->name};
}

}  // namespace

tap::Sample Handler::sample_of(const RequestHead& head, const Admitted& admitted,
                               tap::Outcome outcome) {
  const tap::Origin origin = origin_of(admitted, outcome);
  const auto trace = parse_traceparent(head.traceparent);
  return {.outcome = outcome,
          .at = received_at_,
          .workspace = std::string(origin.workspace),
          .source = std::string(origin.source),
          .path = std::string(head.path()),
          .producer = admitted.producer == nullptr ? std::string() : admitted.producer->name,
          .request_id = head.has_usable_request_id() ? head.request_id : std::string(),
          .traceparent = trace ? std::string(trace->data(), trace->size()) : std::string(),
          .mistakes = {},
          .doubts = {},
          .event = {}};
}

void Handler::show_accepted(const RequestHead& head, const Admitted& admitted, MonoTime now) {
  admitted.options->taps->offer(origin_of(admitted, tap::Outcome::accepted), events_.records.size(),
                                now, [&](std::size_t index) {
                                  const EventRecord& record = events_.records[index];
                                  tap::Sample sample =
                                      sample_of(head, admitted, tap::Outcome::accepted);
                                  sample.event = events_.bytes().substr(record.offset, record.size);
                                  sample.doubts = doubts_about(events_, events_.indexes[index]);
                                  return sample;
                                });
}

// Only the listed rejections are looked at: there are not more of an event than that.
void Handler::show_rejected(const RequestHead& head, const Admitted& admitted,
                            std::string_view body) {
  const std::vector<normalise::Rejection>& rejections = events_.rejections;
  std::vector<std::size_t> firsts;  // of each event
  for (std::size_t i = 0; i < rejections.size(); ++i) {
    if (i == 0 || rejections[i].index != rejections[i - 1].index) {
      firsts.push_back(i);
    }
  }
  std::vector<std::string_view> raw;  // looked for when it is needed
  admitted.options->taps->offer(
      origin_of(admitted, tap::Outcome::rejected), firsts.size(), options_->clock->mono_now(),
      [&](std::size_t index) {
        tap::Sample sample = sample_of(head, admitted, tap::Outcome::rejected);
        const std::uint32_t event = rejections[firsts[index]].index;
        for (std::size_t i = firsts[index]; i < rejections.size() && rejections[i].index == event;
             ++i) {
          sample.mistakes.push_back(mistake_of(rejections[i], admitted));
        }
        if (raw.empty()) {
          raw = tap::find_events(body, admitted.framing == normalise::Framing::lines);
        }
        sample.event = event < raw.size() ? raw[event] : std::string_view();
        return sample;
      });
}

void Handler::show_unreadable(const RequestHead& head, const Admitted& admitted,
                              const Problem& problem) {
  admitted.options->taps->offer(
      origin_of(admitted, tap::Outcome::rejected), 1, options_->clock->mono_now(),
      [&](std::size_t) {
        tap::Sample sample = sample_of(head, admitted, tap::Outcome::rejected);
        sample.mistakes.push_back(
            {.code = normalise::code_of(normalise::RejectReason::malformed_json),
             .reason = normalise::to_string(normalise::RejectReason::malformed_json),
             .field = {},
             .message = problem.message});
        return sample;
      });
}

}  // namespace sluice::ingest

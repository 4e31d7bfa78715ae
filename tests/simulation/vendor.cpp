#include "vendor.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <sluice/event/kind.hpp>

#include "tracked_events.hpp"

namespace sluice::simulation {
namespace {

using namespace std::chrono_literals;
using deliver::Failure;
using deliver::UpstreamAnswer;

// Basic, of a workspace's GUID and a key.
constexpr std::string_view authorization =
    "Basic MDE4OTBhNWQtYWM5Ni03NzRiLWJjY2UtYjMwMjA5OWE4MDU3OnNlY3JldA==";

constexpr std::chrono::hours mood_max{2};

UpstreamAnswer failed(Failure failure) {
  UpstreamAnswer answer;
  answer.failure = failure;
  answer.detail = "simulated";
  return answer;
}

UpstreamAnswer with_status(unsigned status) {
  UpstreamAnswer answer;
  answer.status = status;
  return answer;
}

}  // namespace

Vendor::Vendor(Timeline& timeline, Rng rng, MonoTime until, simulator::LedgerMode ledger,
               bool tells_kinds_apart)
    : timeline_(timeline),
      rng_(rng),
      world_(simulator::Options{.validation = simulator::Validation::strict, .ledger = ledger}),
      api_(world_) {
  world_.faults.replace(
      *simulator::parse_faults(R"([{"action":"poison","pointer":"/params/poison","equals":1}])"));
  const auto span = static_cast<std::uint64_t>((until - timeline.mono_now()).count());
  const std::uint64_t phase_max =
      std::min(span / 3, static_cast<std::uint64_t>(std::chrono::nanoseconds(mood_max).count()));
  for (std::uint64_t i = 2 + rng_.below(8); i > 0; --i) {
    const MonoTime from = timeline.mono_now() + std::chrono::nanoseconds(rng_.below(span));
    phases_.push_back(
        {.from = from,
         .to = std::min(until, from + std::chrono::nanoseconds(rng_.below(phase_max))),
         .mood = static_cast<Mood>(1 + rng_.below(mood_count - 1)),
         .percent = 20 + rng_.below(81),
         .path = tells_kinds_apart && rng_.below(2) == 0 ? kinds()[rng_.below(kinds().size())].path
                                                         : std::string_view()});
  }
}

Vendor::Mood Vendor::mood(std::string_view path) {
  const MonoTime now = timeline_.mono_now();
  for (const Phase& phase : phases_) {
    const bool holds = phase.from <= now && now < phase.to;
    if (holds && (phase.path.empty() || phase.path == path) && rng_.below(100) < phase.percent) {
      return phase.mood;
    }
  }
  return Mood::good;
}

bool Vendor::takes_credentials() const {
  const MonoTime now = timeline_.mono_now();
  return std::ranges::none_of(phases_, [now](const Phase& phase) {
    return phase.mood == Mood::refusing && phase.path.empty() && phase.from <= now &&
           now < phase.to;
  });
}

void Vendor::take(std::string path, std::string body,
                  std::function<void(UpstreamAnswer)> answered) {
  const Mood mood_now = mood(path);
  const MonoTime now = timeline_.mono_now();
  const auto latency = 1ms + std::chrono::nanoseconds(
                                 rng_.below(mood_now == Mood::slow ? 5'000'000'000 : 40'000'000));
  const bool arrives = mood_now == Mood::good || mood_now == Mood::slow ||
                       mood_now == Mood::losing_answer || mood_now == Mood::hanging ||
                       mood_now == Mood::babbling;
  auto answer = std::make_shared<UpstreamAnswer>();
  if (arrives) {
    // What is on its way arrives even if the sender dies meanwhile.
    const auto request = std::make_shared<UnderWay>(
        UnderWay{.path = std::move(path), .body = std::move(body), .answer = answer});
    std::erase_if(under_way_, [](const auto& sent) { return sent->arrived; });
    under_way_.push_back(request);
    timeline_.in_world(now + latency / 2, [this, request] { arrive(*request); });
  } else {
    *answer = refuse(mood_now, body);
  }
  const auto answered_after = mood_now == Mood::hanging ? 10s : latency;
  timeline_.in_process(now + answered_after,
                       [answer, mood_now, latency, answered = std::move(answered)] {
                         if (mood_now == Mood::losing_answer) {
                           *answer = failed(Failure::no_answer);
                         } else if (mood_now == Mood::hanging) {
                           *answer = failed(Failure::answer_timeout);
                         } else if (mood_now == Mood::babbling) {
                           *answer = failed(Failure::malformed_answer);
                         }
                         answer->duration = latency;
                         answered(std::move(*answer));
                       });
}

void Vendor::arrive(UnderWay& request) {
  if (!std::exchange(request.arrived, true)) {
    *request.answer = carry_out(request.path, request.body);
  }
}

void Vendor::receive_all() {
  for (const auto& request : under_way_) {
    arrive(*request);
  }
  under_way_.clear();
}

void Vendor::look_at_address(std::string_view path, std::string_view body) {
  const auto kind = std::ranges::find(kinds(), path, &KindInfo::path);
  const std::string_view sent_as = test::kind_of(body);
  if (kind == kinds().end() || (!sent_as.empty() && sent_as != kind->name)) {
    ++misaddressed_;
  }
}

UpstreamAnswer Vendor::carry_out(const std::string& path, const std::string& body) {
  look_at_address(path, body);
  simulator::Answer answer = api_.handle({.method = "POST",
                                          .target = path,
                                          .authorization = authorization,
                                          .content_type = "application/json",
                                          .content_encoding = {},
                                          .api_version = "4.4",
                                          .body = body,
                                          .now = timeline_.true_wall_now(),
                                          .mono_now = timeline_.mono_now()});
  UpstreamAnswer out = with_status(answer.status);
  out.body = std::move(answer.body);
  return out;
}

UpstreamAnswer Vendor::refuse(Mood mood_now, const std::string& body) {
  switch (mood_now) {
    case Mood::unreachable:
      return failed(Failure::connect);
    case Mood::losing_request:
      return failed(rng_.below(2) == 0 ? Failure::not_sent : Failure::no_answer);
    case Mood::throttling: {
      UpstreamAnswer answer = with_status(429);
      if (rng_.below(2) == 0) {
        answer.retry_after = "2";
      }
      return answer;
    }
    case Mood::narrow:
      return with_status(body.size() > 1'000 ? 413 : 503);
    case Mood::refusing:
      return with_status(401);
    default:
      return with_status(503);
  }
}

void SimulatedUpstream::post(std::string_view path, std::string_view body,
                             std::function<void(UpstreamAnswer)> done) {
  vendor_.take(std::string(path), std::string(body), std::move(done));
}

void SimulatedUpstream::refresh_credentials(std::function<void(Result<void>)> done) {
  timeline_.in_process(timeline_.mono_now() + 5ms, [this, done = std::move(done)] {
    done(vendor_.takes_credentials()
             ? Result<void>()
             : failure(std::errc::permission_denied, "the key was refused"));
  });
}

}  // namespace sluice::simulation

#include "campaign.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>

#include <sluice/base/rng.hpp>
#include <sluice/simulator/simulator.hpp>

#include "gateway_process.hpp"
#include "running_gateway.hpp"
#include "tracked_events.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

constexpr unsigned producer_count = 4;
constexpr std::size_t profiles_per_producer = 6;
constexpr std::size_t events_per_request_max = 25;
constexpr std::uint64_t poison_every = 150;
constexpr std::size_t changeable_max = 40;
constexpr std::chrono::seconds settle_patience{90};
constexpr std::string_view poison_fault =
    R"({"action":"poison","pointer":"/params/poison","equals":1})";

// A back end that sends each request until it is answered 202, as it was.
class Producer {
 public:
  Producer(std::string socket, unsigned index, const CampaignOptions& options)
      : socket_(std::move(socket)),
        name_("p" + std::to_string(index)),
        salts_(options.salts),
        rng_(options.seed * 1000 + index),
        next_(profiles_per_producer) {}

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      send(make_request());
      std::this_thread::sleep_for(std::chrono::microseconds(rng_.below(3'000)));
    }
  }
  [[nodiscard]] const std::vector<TrackedEvent>& acknowledged() const { return acknowledged_; }
  // Of the events that it has changed, what they said last.
  [[nodiscard]] const Versions& versions() const { return versions_; }
  [[nodiscard]] const std::vector<std::string>& surprises() const { return surprises_; }

 private:
  struct Request {
    std::string body;
    Headers headers;
    std::vector<TrackedEvent> events;
    Versions changes = {};
    std::size_t sent = 0;
  };

  Request make_request() {
    Request request;
    // A retry is known by its key, or by the salts; a time need not be given.
    const bool keyed = rng_.below(2) == 0;
    const bool timed = rng_.below(2) == 0;
    if (keyed && salts_) {
      request.headers.emplace_back("Idempotency-Key", name_ + "-" + std::to_string(requests_));
    }
    ++requests_;
    const std::size_t count = 1 + rng_.below(events_per_request_max);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t profile = rng_.below(profiles_per_producer);
      TrackedEvent event{.profile = name_ + "-" + std::to_string(profile),
                         .number = next_[profile]++,
                         .poison = rng_.below(poison_every) == 0};
      request.body += request.body.empty() ? "[" : ",";
      request.body += to_json(event, {.salted = salts_ && !keyed, .timed = timed});
      ++request.sent;
      if (salts_ && !keyed && timed && !event.poison) {
        changeable_.emplace_back(event, 0);
        change_one(request);
      }
      request.events.push_back(std::move(event));
    }
    request.body += "]";
    return request;
  }

  // Sends one event once more that says something else, as a shop does with an order.
  void change_one(Request& request) {
    auto& [event, version] = changeable_[rng_.below(changeable_.size())];
    version = (version + 1 + static_cast<unsigned>(rng_.below(version_count - 1))) % version_count;
    request.body += "," + to_json(event, {.version = version});
    request.changes[event] = version;
    ++request.sent;
    if (changeable_.size() > changeable_max) {
      changeable_.pop_front();
    }
  }

  void send(const Request& request) {
    while (true) {
      const HttpAnswer answer = try_once(request);
      if (answer.status == 202) {
        // Some or all of it may have been taken before, by a salt of its own.
        const std::uint64_t kept = number_behind(answer.body, R"("accepted":)") +
                                   number_behind(answer.body, R"("duplicates":)");
        if (kept != request.sent) {
          surprises_.push_back("202 for " + request.body + " said " + answer.body);
        }
        acknowledged_.insert(acknowledged_.end(), request.events.begin(), request.events.end());
        for (const auto& [event, version] : request.changes) {
          versions_[event] = version;
        }
        return;
      }
      if (answer.status != 0 && answer.status != 503) {
        surprises_.push_back("answered " + std::to_string(answer.status) + ": " + answer.body);
        return;
      }
      connection_.reset();
      std::this_thread::sleep_for(2ms);  // before the next try, as a producer would
    }
  }

  HttpAnswer try_once(const Request& request) {
    try {
      if (connection_ == nullptr) {
        connection_ = std::make_unique<HttpClient>(
            0, HttpClient::Options{.unix_path = socket_, .patience = std::chrono::seconds(3)});
      }
      return connection_->post("/v4/events/batch", request.body, request.headers);
    } catch (const std::exception&) {
      return {};  // nobody listens at the moment
    }
  }

  std::string socket_;
  std::string name_;
  bool salts_;
  Rng rng_;
  std::vector<std::uint64_t> next_;                           // by profile
  std::deque<std::pair<TrackedEvent, unsigned>> changeable_;  // as they were sent last
  std::uint64_t requests_ = 0;
  std::unique_ptr<HttpClient> connection_;
  std::vector<TrackedEvent> acknowledged_;
  Versions versions_;
  std::vector<std::string> surprises_;
};

class Campaign {
 public:
  explicit Campaign(const CampaignOptions& options)
      : options_(options),
        rng_(options.seed),
        upstream_({.validation = simulator::Validation::strict, .seed = options.seed}) {}

  CampaignReport run() {
    if (const auto started = upstream_.start(); !started) {
      throw std::runtime_error(started.error().message);
    }
    gateway_.emplace(GatewayProcess::Options{
        .base_url = upstream_.base_url(),
        .auth = options_.jwt ? "jwt" : "basic",
        .workspace_more = options_.salts ? "" : "    generated_salts: false\n",
        .more = "batch: {linger: 5ms, max_events: 100}\n"
                "delivery: {timeout: 300ms, backoff: {initial: 5ms, max: 50ms}}\n"
                "drain_timeout: 100ms\n"});
    gateway_->start();
    {
      std::vector<std::jthread> threads;
      for (unsigned i = 0; i < producer_count; ++i) {
        producers_.push_back(std::make_unique<Producer>(gateway_->ingest(), i, options_));
        threads.emplace_back([producer = producers_.back().get()](const std::stop_token& stop) {
          producer->run(stop);
        });
      }
      for (unsigned kill = 0; kill < options_.kills; ++kill) {
        misbehave_for_a_while();
        end();
        gateway_->start();
      }
      misbehave_for_a_while();
      set_faults("");
      for (std::jthread& thread : threads) {
        thread.request_stop();
      }
    }
    settle();
    check();
    return std::move(report_);
  }

 private:
  void end() {
    if (rng_.below(4) != 0) {
      ++report_.hard_kills;
      gateway_->kill();
      return;
    }
    ++report_.soft_stops;
    if (const int code = gateway_->stop(); code != 0) {
      report_.violations.push_back("a stop ended with " + std::to_string(code) + ": " +
                                   gateway_->log());
    }
  }

  void misbehave_for_a_while() {
    const auto until =
        std::chrono::steady_clock::now() + 50ms + std::chrono::milliseconds(rng_.below(400));
    while (std::chrono::steady_clock::now() < until) {
      static constexpr std::array<std::string_view, 8> kinds{
          R"({"action":"reset_after","probability":0.3})",
          R"({"action":"reset_before","probability":0.3})",
          R"({"action":"status","status":429,"probability":0.5})",
          R"({"action":"status","status":503,"probability":0.5})",
          R"({"action":"hang","hang_ms":2000,"probability":0.2})",
          R"({"action":"malformed","probability":0.3})",
          R"({"action":"revoke","count":2})",
          R"({"action":"latency","latency_mean_ms":20})",
      };
      set_faults(rng_.below(3) == 0 ? "" : kinds[rng_.below(kinds.size())]);
      std::this_thread::sleep_for(std::chrono::milliseconds(20 + rng_.below(100)));
    }
  }

  void set_faults(std::string_view fault) {
    std::string all = "[" + std::string(poison_fault);
    all += fault.empty() ? "" : ",";
    if (const auto set = upstream_.set_faults(all + std::string(fault) + "]"); !set) {
      throw std::runtime_error(set.error().message);
    }
  }

  // Until nothing is left in the buffer.
  void settle() {
    const bool settled = eventually(
        [&] {
          const std::string text = gateway_->get_admin("/metrics").body;
          return !text.empty() && metric(text, "buffer_events") == 0;
        },
        settle_patience);
    if (!settled) {
      report_.violations.push_back("the buffer did not empty: " +
                                   gateway_->get_admin("/status").body);
    }
  }

  void check() {
    std::set<TrackedEvent> acknowledged;
    for (const auto& producer : producers_) {
      report_.violations.insert(report_.violations.end(), producer->surprises().begin(),
                                producer->surprises().end());
      acknowledged.insert(producer->acknowledged().begin(), producer->acknowledged().end());
    }
    EventChecks checks(acknowledged, true);
    for (const simulator::LedgerEntry& entry : upstream_.ledger().entries()) {
      checks.stored(entry.body);
    }
    for (const auto& producer : producers_) {
      checks.check_versions(producer->versions());
    }
    for (const auto& file :
         std::filesystem::directory_iterator(gateway_->directory() / "dead-letter")) {
      std::ifstream lines(file.path());
      for (std::string line; std::getline(lines, line);) {
        checks.dead_lettered(line);
      }
    }
    const std::vector<std::string> found = checks.violations();
    report_.violations.insert(report_.violations.end(), found.begin(), found.end());
    report_.acknowledged = acknowledged.size();
    report_.overwrites = upstream_.ledger().summary().overwrites;
    report_.deliveries = upstream_.ledger().summary().deliveries;
    report_.dead_lettered = checks.dead_letter_count();
    check_conservation();
  }

  void check_conservation() {
    if (const auto conflicts = upstream_.stats().salt_conflicts; conflicts != 0) {
      report_.violations.push_back(std::to_string(conflicts) + " events with another one's salt");
    }
    if (const double unaccounted = gateway_->unaccounted(); unaccounted != 0) {
      report_.violations.push_back("not accounted for: " + std::to_string(unaccounted) + " events");
    }
  }

  CampaignOptions options_;
  Rng rng_;
  simulator::Simulator upstream_;
  std::optional<GatewayProcess> gateway_;
  std::vector<std::unique_ptr<Producer>> producers_;
  CampaignReport report_;
};

}  // namespace

CampaignReport run_campaign(const CampaignOptions& options) { return Campaign(options).run(); }

}  // namespace sluice::test

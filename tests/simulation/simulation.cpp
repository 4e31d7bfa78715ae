#include "simulation.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include <malloc.h>

#include <sluice/deadletter/letter.hpp>
#include <sluice/event/kind.hpp>

#include "codec.hpp"
#include "memory_engine.hpp"
#include "process.hpp"
#include "tracked_events.hpp"

namespace sluice::simulation {
namespace {

using namespace std::chrono_literals;
using test::EventChecks;
using test::TrackedEvent;

constexpr std::chrono::hours settled_within{6};
// Times in the future of the vendor's clock it replaces by its own, which defeats the salts: so the
// clock jumps back, and forth to where it was.
constexpr std::chrono::hours clock_behind_max{12};
constexpr std::size_t violations_max = 10;
constexpr std::size_t changeable_max = 30;

class Day {
 public:
  Day(const SimulationOptions& options, std::string folder)
      : rng_(options.seed),
        options_(options),
        folder_(std::move(folder)),
        until_(timeline_.mono_now() + options.length),
        vendor_(timeline_, Rng(rng_()),
                options.faults_end ? until_ : timeline_.mono_now() + settled_within,
                options.compact ? simulator::LedgerMode::compact : simulator::LedgerMode::full,
                options.all_kinds),
        process_options_(make_process_options()) {
    start_process();
    for (std::uint64_t i = 1 + rng_.below(4); i > 0; --i) {
      producers_.push_back({.name = "p" + std::to_string(i)});
    }
    for (std::size_t i = 0; i < producers_.size(); ++i) {
      in_world(std::chrono::nanoseconds(rng_.below(1'000'000'000)), [this, i] { produce(i); });
    }
    for (std::uint64_t i = rng_.below(6); i > 0; --i) {
      in_world(faults_time(), [this] { crash(); });
    }
    for (std::uint64_t i = rng_.below(4); i > 0; --i) {
      in_world(faults_time(), [this] { break_disk(); });
    }
    in_world(options.length, [this] { mend_disk(); });
    in_world(1h, [this] { take_footprint(); });
    for (std::uint64_t i = options.clock_jumps; i > 0; --i) {
      in_world(faults_time(), [this] { jump_clock(); });
    }
  }

  SimulationReport run() {
    while (report_.violations.empty() && !is_over() && timeline_.step()) {
      ++report_.steps;
      if (process_ != nullptr) {
        complain(process_->miscounted(damaged_count_));
      }
    }
    if (options_.faults_end && report_.violations.empty() && !is_settled()) {
      complain("does not settle: " + std::to_string(process_->pending_events()) +
               " events are pending");
    }
    check();
    return std::move(report_);
  }

 private:
  struct Producer {
    std::string name;
    std::uint64_t requests = 0;
    std::map<std::string, std::uint64_t> next = {};  // number, by profile
    // What it may change, as it was sent last; of each kind.
    std::map<EventKind, test::Versions> changeable = {};
    bool done = false;
  };
  struct Request {
    EventKind kind{};
    std::string body;
    std::string key;
    std::vector<TrackedEvent> events;
    test::Versions changes = {};
    bool answered = false;
    unsigned attempt = 0;
  };

  ProcessOptions make_process_options() {
    ProcessOptions options;
    options.pipeline.workspace = "default";
    options.pipeline.dispatcher.lanes = static_cast<unsigned>(1 + rng_.below(6));
    options.pipeline.dispatcher.max_in_flight = static_cast<unsigned>(1 + rng_.below(6));
    options.pipeline.dispatcher.batch = {.events_max = 1 + rng_.below(40),
                                         .bytes_max = 1'000 + rng_.below(20'000),
                                         .linger = std::chrono::milliseconds(rng_.below(200))};
    options.pipeline.dispatcher.size_memory = 5s;
    options.pipeline.limits = {.bytes_max = 20'000 + rng_.below(500'000), .events_max = 0};
    options.pipeline.dedup = {.window = options_.dedup_window, .entries_max = 1'000'000};
    options.pipeline.window_bytes_max = 2'000 + rng_.below(60'000);
    options.store.tail_bytes_max = rng_.below(30'000);
    options.store.read_ahead_bytes = 1'000 + rng_.below(30'000);
    options.store.commit_bytes_max = 1'000 + rng_.below(100'000);
    options.store.reclaim_bytes = 1'000 + rng_.below(100'000);
    options.dead_letter_folder = folder_;
    return options;
  }

  void start_process() {
    vendor_.receive_all();
    process_options_.seed = rng_();
    process_ = std::make_unique<Process>(
        timeline_, vendor_, std::make_unique<test::MemoryEngine>(disk_), process_options_);
  }

  void crash() {
    if (process_ == nullptr) {
      return;
    }
    ++report_.crashes;
    timeline_.crash_process();
    // Of what was not synced, a part from the beginning may have got to the disk.
    bool survives = true;
    disk_.crash([&] { return survives = survives && rng_.below(2) == 0; });
    process_.reset();
    if (!options_.compact && rng_.below(3) == 0) {
      damage_a_group();
    }
    disk_.broken = false;
    timeline_.crash_process();  // drops what its end has arranged
    in_world(std::chrono::nanoseconds(rng_.below(3'000'000'000)), [this] { start_process(); });
  }

  // Flips a bit of a stored group.
  void damage_a_group() {
    const auto is_group = [](const auto& entry) {
      return entry.first.front() == static_cast<char>(store::Tag::group);
    };
    const auto groups = std::ranges::count_if(disk_.stable, is_group);
    if (groups == 0) {
      return;
    }
    auto at = std::ranges::find_if(disk_.stable, is_group);
    std::advance(at, rng_.below(static_cast<std::uint64_t>(groups)));
    auto& [key, value] = *at;
    // It may have been damaged before.
    if (const auto stored = store::decode_group(key, value)) {
      for (const EventRecord& record : stored->records) {
        damaged_.insert(test::tracked_event(stored->bytes().substr(record.offset, record.size)));
        ++damaged_count_;
      }
      value[rng_.below(value.size())] ^= 1;
      disk_.visible[key] = value;
    }
  }

  void break_disk() {
    const auto error = rng_.below(2) == 0 ? store::Errc::disk_full : store::Errc::failed;
    (rng_.below(2) == 0 ? disk_.write_fails : disk_.sync_fails) = error;
    in_world(std::chrono::nanoseconds(rng_.below(10'000'000'000)), [this] { mend_disk(); });
  }
  void mend_disk() {
    disk_.write_fails.reset();
    disk_.sync_fails.reset();
  }

  void jump_clock() {
    const auto behind = rng_.below(std::chrono::milliseconds(clock_behind_max).count());
    const bool right = rng_.below(3) == 0;
    timeline_.jump_wall_clock(-std::chrono::milliseconds(right ? 0 : behind));
  }

  // Of all that are said in the form of an event.
  EventKind draw_kind() {
    if (!options_.all_kinds) {
      return {};
    }
    std::vector<EventKind> possible;
    for (const KindInfo& row : kinds()) {
      if (row.schema == Schema::event) {
        possible.push_back(row.kind);
      }
    }
    return possible[rng_.below(possible.size())];
  }
  [[nodiscard]] std::string_view name_of(EventKind kind) const {
    return options_.all_kinds ? info(kind).name : std::string_view();
  }

  void produce(std::size_t index) {
    Producer& producer = producers_[index];
    if (timeline_.mono_now() >= until_) {
      producer.done = true;
      return;
    }
    auto request = std::make_shared<Request>();
    request->kind = draw_kind();
    const bool keyed = rng_.below(2) == 0;
    const bool timed = rng_.below(2) == 0;
    if (keyed) {
      request->key = producer.name + "-" + std::to_string(producer.requests);
    }
    ++producer.requests;
    for (std::uint64_t i = 1 + rng_.below(20); i > 0; --i) {
      const std::string profile = producer.name + "-" + std::to_string(rng_.below(5));
      const TrackedEvent event{
          .profile = profile, .number = producer.next[profile]++, .poison = rng_.below(100) == 0};
      request->body += request->body.empty() ? "[" : ",";
      request->body +=
          to_json(event, {.salted = !keyed, .timed = timed, .kind = name_of(request->kind)});
      request->events.push_back(event);
      if (!options_.compact && !keyed && timed && !event.poison) {
        test::Versions& changeable = producer.changeable[request->kind];
        changeable[event] = 0;
        change_some(changeable, *request);
      }
    }
    request->body += "]";
    send(index, request);
  }

  // Sends events once more that say something else, as a shop does.
  void change_some(test::Versions& changeable, Request& request) {
    for (std::uint64_t i = rng_.below(3); i > 0; --i) {
      auto changed =
          std::next(changeable.begin(), static_cast<std::ptrdiff_t>(rng_.below(changeable.size())));
      auto& [event, version] = *changed;
      version = (version + 1 + static_cast<unsigned>(rng_.below(test::version_count - 1))) %
                test::version_count;
      request.body += "," + to_json(event, {.version = version, .kind = name_of(request.kind)});
      request.changes[event] = version;
    }
    while (changeable.size() > changeable_max) {
      changeable.erase(changeable.begin());
    }
  }

  // Sends the request until it is answered 202, as a producer does that insists.
  void send(std::size_t index, const std::shared_ptr<Request>& request) {
    const unsigned attempt = ++request->attempt;
    const auto again = [this, index, request, attempt] {
      if (!request->answered && request->attempt == attempt) {
        send(index, request);
      }
    };
    if (process_ == nullptr) {
      in_world(100ms, again);
      return;
    }
    in_world(2s + std::chrono::nanoseconds(rng_.below(1'000'000'000)), again);  // out of patience
    process_->post(request->body, request->kind, request->key,
                   [this, index, request, again](const Answer& answer) {
                     if (request->answered || rng_.below(20) == 0) {
                       return;  // the answer is late, or lost on its way
                     }
                     if (answer.status != 202) {
                       if (answer.status != 503) {
                         complain("answered " + answer.text);
                       }
                       in_world(50ms + std::chrono::nanoseconds(rng_.below(200'000'000)), again);
                       return;
                     }
                     request->answered = true;
                     acknowledge(request->events);
                     for (const auto& [event, version] : request->changes) {
                       versions_[event] = version;
                     }
                     in_world(std::chrono::nanoseconds(rng_.below(
                                  static_cast<std::uint64_t>(options_.rest_max.count()))),
                              [this, index] { produce(index); });
                   });
  }

  void acknowledge(const std::vector<TrackedEvent>& events) {
    report_.acknowledged += events.size();
    acknowledged_by_hour_[hour()] += events.size();
    if (!options_.compact) {
      acknowledged_.insert(events.begin(), events.end());
    }
  }

  [[nodiscard]] std::chrono::hours hour() const {
    return std::chrono::floor<std::chrono::hours>(timeline_.mono_now() -
                                                  (until_ - options_.length));
  }

  // Once an hour, while events come.
  void take_footprint() {
    if (timeline_.mono_now() > until_) {
      return;
    }
    in_world(1h, [this] { take_footprint(); });
    if (process_ == nullptr) {
      return;
    }
    const std::chrono::hours now = hour();
    std::uint64_t lately = 0;
    for (auto at = acknowledged_by_hour_.lower_bound(
             now - 2 * std::chrono::ceil<std::chrono::hours>(options_.dedup_window));
         at != acknowledged_by_hour_.end(); ++at) {
      lately += at->second;
    }
    report_.footprints.push_back({.at = now,
                                  .events_lately = lately,
                                  .dedup_entries = process_->dedup_entries(),
                                  .stored_entries = disk_.visible.size(),
                                  .happenings = timeline_.waiting(),
                                  .heap_bytes = mallinfo2().uordblks});
  }

  [[nodiscard]] bool is_settled() {
    return process_ != nullptr && std::ranges::all_of(producers_, &Producer::done) &&
           process_->pending_events() == 0;
  }
  [[nodiscard]] bool is_over() {
    const MonoTime now = timeline_.mono_now();
    return options_.faults_end ? is_settled() || now > until_ + settled_within : now > until_;
  }

  void check() {
    EventChecks checks(acknowledged_, options_.faults_end);
    for (const TrackedEvent& event : damaged_) {
      checks.damaged(event);
    }
    if (!options_.compact) {
      for (const simulator::LedgerEntry& entry : vendor_.ledger().entries()) {
        checks.stored(entry.body);
        const std::string_view kind = test::kind_of(entry.body);
        report_.second_kind += !kind.empty() && kind != kinds().front().name ? 1 : 0;
      }
    }
    for (const auto& file : std::filesystem::directory_iterator(folder_)) {
      std::ifstream lines(file.path());
      for (std::string line; std::getline(lines, line);) {
        checks.dead_lettered(line);
        const auto letter = deadletter::parse_letter(line);
        if (options_.all_kinds && (!letter || letter->kind != test::kind_of(line))) {
          complain("a dead letter of another kind than it was sent as: " + line);
        }
      }
    }
    if (options_.faults_end) {
      checks.check_versions(versions_);
    }
    if (vendor_.misaddressed() > 0) {
      complain(std::to_string(vendor_.misaddressed()) + " requests had events of another kind");
    }
    for (const std::string& violation : checks.violations()) {
      complain(violation);
    }
    report_.unique = vendor_.ledger().summary().unique;
    report_.deliveries = vendor_.ledger().summary().deliveries;
    report_.overwrites = vendor_.ledger().summary().overwrites;
    report_.dead_lettered = checks.dead_letter_count();
  }

  void complain(std::string violation) {
    if (!violation.empty() && report_.violations.size() < violations_max) {
      report_.violations.push_back(std::move(violation));
    }
  }

  std::chrono::nanoseconds faults_time() {
    return std::chrono::nanoseconds(
        rng_.below(static_cast<std::uint64_t>(options_.length.count())));
  }
  void in_world(std::chrono::nanoseconds after, Timeline::Happening happening) {
    timeline_.in_world(timeline_.mono_now() + after, std::move(happening));
  }

  Rng rng_;
  SimulationOptions options_;
  std::string folder_;
  Timeline timeline_;
  MonoTime until_;
  Vendor vendor_;
  test::MemoryDisk disk_;
  ProcessOptions process_options_;
  std::unique_ptr<Process> process_;
  std::vector<Producer> producers_;
  std::set<TrackedEvent> acknowledged_;  // unless compact
  std::set<TrackedEvent> damaged_;       // by the disk, stored or not
  std::uint64_t damaged_count_ = 0;      // of them, each version for itself
  test::Versions versions_;              // of those that were changed
  std::map<std::chrono::hours, std::uint64_t> acknowledged_by_hour_;
  SimulationReport report_;
};

}  // namespace

SimulationReport simulate(const SimulationOptions& options, const std::string& folder) {
  return Day(options, folder).run();
}

}  // namespace sluice::simulation

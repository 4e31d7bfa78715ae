#include <algorithm>
#include <utility>

#include <sluice/base/rng.hpp>
#include <sluice/tap/taps.hpp>

namespace sluice::tap {
namespace {

std::size_t size_of(const Sample& sample) {
  std::size_t bytes = sizeof(Sample) + sample.path.size() + sample.event.size();
  for (const Mistake& mistake : sample.mistakes) {
    bytes += sizeof(Mistake) + mistake.field.size() + mistake.message.size();
  }
  for (const Doubt& doubt : sample.doubts) {
    bytes += sizeof(Doubt) + doubt.field.size();
  }
  return bytes;
}

}  // namespace

// Guarded by the mutex of the taps.
class Taps::Tap final : public Reader {
 public:
  Tap(Taps& taps, Wish wish) : taps_(taps), wish_(std::move(wish)) {}
  ~Tap() override {
    const std::lock_guard lock(taps_.mutex_);
    std::erase(taps_.taps_, this);
    taps_.open_.store(taps_.taps_.size(), std::memory_order_relaxed);
  }
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;

  [[nodiscard]] Taken take() override {
    const std::lock_guard lock(taps_.mutex_);
    bytes_ = 0;
    return std::exchange(held_, {});
  }

  [[nodiscard]] bool wants(const Origin& origin) const {
    return (origin.outcome == Outcome::accepted ? wish_.accepted : wish_.rejected) &&
           (wish_.source.empty() || wish_.source == origin.source) &&
           (wish_.workspace.empty() || wish_.workspace == origin.workspace);
  }
  // Earns what the time since the last call is worth, a second's at most.
  void earn(MonoTime now) {
    const std::chrono::duration<double> since = now - earned_at_;
    earned_at_ = now;
    credit_ = std::min(credit_ + since.count() * wish_.per_second_max,
                       std::max(wish_.per_second_max, 1.0));
  }
  // Whether this event is a sample, and there is room for it.
  [[nodiscard]] bool chooses() {
    if (wish_.share < 1 && random_share() >= wish_.share) {
      return false;
    }
    if (wish_.per_second_max > 0) {
      if (credit_ < 1) {
        return false;
      }
      credit_ -= 1;
    }
    const bool has_room = held_.samples.size() < samples_max && bytes_ < sample_bytes_max;
    held_.dropped += has_room ? 0 : 1;
    return has_room;
  }
  void put(Sample sample) {
    bytes_ += size_of(sample);
    held_.samples.push_back(std::move(sample));
  }

 private:
  // From 0 up to, and without, 1.
  double random_share() { return static_cast<double>(rng_() >> 11) * 0x1p-53; }

  Taps& taps_;
  const Wish wish_;
  Rng rng_ = Rng::from_system_entropy();
  MonoTime earned_at_{};
  double credit_ = 0;
  std::size_t bytes_ = 0;
  Taken held_;
};

std::unique_ptr<Taps::Reader> Taps::open(Wish wish) {
  auto tap = std::make_unique<Tap>(*this, std::move(wish));
  std::unique_lock lock(mutex_);
  if (taps_.size() >= taps_max) {
    lock.unlock();  // its destructor takes it
    return nullptr;
  }
  taps_.push_back(tap.get());
  open_.store(taps_.size(), std::memory_order_relaxed);
  return tap;
}

void Taps::offer(const Origin& origin, std::size_t count, MonoTime now,
                 const std::function<Sample(std::size_t index)>& make) {
  const std::lock_guard lock(mutex_);
  for (Tap* const tap : taps_) {
    if (!tap->wants(origin)) {
      continue;
    }
    tap->earn(now);
    for (std::size_t index = 0; index < count; ++index) {
      if (tap->chooses()) {
        tap->put(make(index));
      }
    }
  }
}

}  // namespace sluice::tap

// An engine whose device refuses to read a part of it: for reading past that, as past damage.
#pragma once

#include <optional>
#include <string>

#include <sluice/store/engine.hpp>

namespace sluice::store {

// What is unreadable, at a second attempt too, counts as corrupt.
class ReadPast final : public Engine {
 public:
  explicit ReadPast(Engine& engine) : engine_(engine) {}

  Result<void> read(std::string_view from, std::string_view to, const Sink& sink) override {
    std::string begin(from);
    const auto attempt = [&] {
      return engine_.read(begin, to, [&](std::string_view key, std::string_view value) {
        begin = std::string(key) + '\0';
        return sink(key, value);
      });
    };
    auto outcome = attempt();
    if (is_unreadable(outcome)) {
      outcome = attempt();
    }
    return is_unreadable(outcome) ? failure(Errc::corrupt, outcome.error().message) : outcome;
  }
  Result<std::optional<std::string>> get(std::string_view key) override {
    auto outcome = engine_.get(key);
    if (is_unreadable(outcome)) {
      outcome = engine_.get(key);
    }
    if (is_unreadable(outcome)) {
      return failure(Errc::corrupt, outcome.error().message);
    }
    return outcome;
  }
  Result<void> write(const Batch& batch, bool sync) override { return engine_.write(batch, sync); }
  Result<void> sync() override { return engine_.sync(); }
  void reclaim(std::string_view from, std::string_view to, bool thoroughly) override {
    engine_.reclaim(from, to, thoroughly);
  }
  [[nodiscard]] bool has_room() override { return engine_.has_room(); }
  Result<void> make_room(std::uint64_t live_bytes) override {
    return engine_.make_room(live_bytes);
  }
  Result<void> reopen() override { return engine_.reopen(); }
  void close() override { engine_.close(); }
  [[nodiscard]] Stats stats() const override { return engine_.stats(); }

 private:
  template <class T>
  static bool is_unreadable(const Result<T>& outcome) {
    return !outcome && outcome.error().code == Errc::unreadable;
  }

  Engine& engine_;
};

}  // namespace sluice::store

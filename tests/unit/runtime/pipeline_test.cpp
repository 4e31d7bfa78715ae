// Goal: a pipeline remembers no more than what has not ended, and does nothing by halves.
#include "pipeline.hpp"

#include <functional>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <sluice/base/log.hpp>

#include "event_groups.hpp"
#include "temporary_directory.hpp"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;
using deliver::UpstreamAnswer;
using testing::HasSubstr;

class SteppedClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall_now() const override {
    return WallTime(std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch()));
  }
  [[nodiscard]] MonoTime mono_now() const override { return now; }

  MonoTime now{1h};
};

// Runs what was posted when it is told to.
class SteppedHost final : public PipelineHost {
 public:
  void post(std::function<void()> work) override { posted_.push_back(std::move(work)); }
  void post_blocking(std::function<void()> work) override { post(std::move(work)); }
  void pump_at(MonoTime) override {}
  void run() {
    while (!posted_.empty()) {
      for (const auto& work : std::exchange(posted_, {})) {
        work();
      }
    }
  }

 private:
  std::vector<std::function<void()>> posted_;
};

// Each post waits for its answer; or there is no memory for it.
class ParkedUpstream final : public deliver::Upstream {
 public:
  void post(std::string_view, std::string_view body,
            std::function<void(UpstreamAnswer)> done) override {
    if (out_of_memory) {
      throw std::bad_alloc();
    }
    waiting.push_back({.body = std::string(body), .done = std::move(done)});
  }
  void refresh_credentials(std::function<void(Result<void>)>) override {}
  void stop() override {}

  // The latest one.
  void answer(unsigned status, std::optional<std::string> date = std::nullopt) {
    const Waiting post = std::move(waiting.back());
    waiting.pop_back();
    UpstreamAnswer answer;
    answer.status = status;
    answer.date = std::move(date);
    post.done(std::move(answer));
  }

  struct Waiting {
    std::string body;
    std::function<void(UpstreamAnswer)> done;
  };
  std::vector<Waiting> waiting;
  bool out_of_memory = false;
};

class PipelineTest : public testing::Test {
 protected:
  PipelineTest() {
    log::configure(log::Level::off, log::Format::human);
    pipeline_.connect(*buffer_, upstream_);
    host_.run();
  }

  static PipelineOptions two_lanes() {
    PipelineOptions options{.workspace = "w", .dispatcher = {}, .limits = {}, .dedup = {}};
    options.dispatcher.lanes = 2;
    options.dispatcher.batch.linger = 0ms;
    return options;
  }
  // Accepts an event of this profile; the lane is decided by it.
  void accept(std::uint64_t profile) {
    const test::EventSpec spec{.number = 1, .profile = profile};
    Group::Owner group = test::make_group({&spec, 1}, clock_.now);
    ASSERT_TRUE(pipeline_.admission().try_admit(1, group->footprint_bytes()));
    ASSERT_TRUE(buffer_->append(0, std::move(group), buffer::AckLevel::memory, {}));
    pipeline_.pump();
    host_.run();
  }
  [[nodiscard]] std::string status() const {
    std::string text;
    pipeline_.append_status(text);
    return text;
  }

  test::TemporaryDirectory directory_;
  SteppedClock clock_;
  SteppedHost host_;
  ParkedUpstream upstream_;
  std::unique_ptr<deadletter::Store> dead_letters_ =
      std::move(*deadletter::open_store(directory_ / "dead-letter", 1'000'000));
  Pipeline pipeline_{
      {.host = host_, .dead_letters = *dead_letters_, .clock = clock_, .rng = Rng(1)}, two_lanes()};
  std::unique_ptr<buffer::Buffer> buffer_ =
      buffer::make_memory_buffer(1, pipeline_.settlement(), [this] { host_.post([] {}); });
};

TEST_F(PipelineTest, ComparesItsClockWithTheUpstreams) {
  EXPECT_THAT(status(), testing::HasSubstr(R"("clock_skew_s":null)"));
  accept(1);
  upstream_.answer(202);
  EXPECT_THAT(status(), testing::HasSubstr(R"("clock_skew_s":null)")) << "it did not say";
  accept(1);
  upstream_.answer(503, "no date");
  EXPECT_THAT(status(), testing::HasSubstr(R"("clock_skew_s":null)"));
  clock_.now += 1h;
  pipeline_.pump();
  host_.run();
  upstream_.answer(202, "Thu, 01 Jan 1970 00:00:10 GMT");
  const auto shown = std::chrono::milliseconds(pipeline_.clock_skew_ms().load());
  EXPECT_EQ(clock_.wall_now() - shown, WallTime(10'500ms)) << "in the middle of its second";
  EXPECT_THAT(status(), testing::Not(testing::HasSubstr(R"("clock_skew_s":null)")));
}

TEST_F(PipelineTest, ForgetsWhatHasEndedHoweverLongAnEarlierGroupWaits) {
  accept(1);
  upstream_.answer(202);  // from now on two requests may be under way
  accept(0);
  clock_.now += 1s;
  const auto deliver_many = [this](int groups) {
    for (int i = 0; i < groups; ++i) {
      accept(1);
      ASSERT_EQ(upstream_.waiting.size(), 2U);
      upstream_.answer(202);
    }
  };
  deliver_many(1'000);
#ifndef SLUICE_SANITIZED  // which has a heap of its own
  const std::size_t before = mallinfo2().uordblks;
#endif
  deliver_many(20'000);
#ifndef SLUICE_SANITIZED
  EXPECT_LT(mallinfo2().uordblks, before + 10'000);
#endif
  EXPECT_THAT(status(), HasSubstr(R"("delivered":21001,"dead_lettered":0,"buffered":1,)"));
  EXPECT_THAT(status(), HasSubstr(R"("oldest_event_age_s":1.000,)")) << "that of the first one";
  accept(1);
  clock_.now += 1s;
  upstream_.answer(202);
  EXPECT_THAT(status(), HasSubstr(R"("oldest_event_age_s":2.000,)"));
  upstream_.answer(202);
  EXPECT_THAT(status(),
              HasSubstr(R"("buffered":0,"buffered_bytes":0,"oldest_event_age_s":0.000,)"));
}

using PipelineDeathTest = PipelineTest;

TEST_F(PipelineDeathTest, EndsTheProcessWhereMemoryRunsOutAmidWhatWasDecided) {
  upstream_.out_of_memory = true;
  EXPECT_DEATH(accept(0), "terminate called");
  upstream_.out_of_memory = false;
  accept(0);
  accept(0);
  upstream_.out_of_memory = true;
  EXPECT_DEATH(upstream_.answer(202), "terminate called") << "where the second one is sent";
}

}  // namespace
}  // namespace sluice::runtime

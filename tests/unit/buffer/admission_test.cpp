// Goal: a workspace never holds more than its limits, refuses with hysteresis, and cannot deadlock.
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/buffer/admission.hpp>

namespace sluice::buffer {
namespace {

TEST(Admission, RefusesAboveTheHighWatermarkUntilBelowTheLowOne) {
  Admission admission(
      {.bytes_max = 1000, .events_max = 0, .high_watermark = 0.9, .low_watermark = 0.5});
  for (int i = 0; i < 9; ++i) {
    EXPECT_TRUE(admission.try_admit(1, 100));
  }
  EXPECT_DOUBLE_EQ(admission.pressure(), 1.0);
  EXPECT_FALSE(admission.must_refuse());
  EXPECT_FALSE(admission.try_admit(1, 100));
  EXPECT_TRUE(admission.must_refuse());
  admission.release_events(3);
  admission.release_bytes(300);
  EXPECT_FALSE(admission.try_admit(1, 10)) << "600 of 1000 is still above the low watermark";
  admission.release_events(2);
  admission.release_bytes(200);
  EXPECT_FALSE(admission.must_refuse());
  EXPECT_TRUE(admission.try_admit(1, 10));
  EXPECT_EQ(admission.events(), 5);
  EXPECT_EQ(admission.bytes(), 410);
}

TEST(Admission, BoundsEventsToo) {
  Admission admission(
      {.bytes_max = 0, .events_max = 10, .high_watermark = 1.0, .low_watermark = 0.5});
  EXPECT_TRUE(admission.try_admit(10, 1'000'000));
  EXPECT_FALSE(admission.try_admit(1, 1));
}

TEST(Admission, GoesByOtherLimitsOnceTheyAreSet) {
  Admission admission({.bytes_max = 1000, .events_max = 0, .producer_share = 1, .producers = 1});
  EXPECT_TRUE(admission.try_admit(1, 900, 1));
  EXPECT_FALSE(admission.try_admit(1, 100));
  EXPECT_TRUE(admission.must_refuse());
  admission.set_limits({.bytes_max = 10'000, .events_max = 0, .producer_share = 1});
  EXPECT_FALSE(admission.must_refuse());
  EXPECT_TRUE(admission.try_admit(1, 500, 1));
  admission.set_limits({.bytes_max = 10'000, .events_max = 0, .producer_share = 0.1});
  EXPECT_FALSE(admission.try_admit(1, 500, 1)) << "what it holds is above its new share";
  EXPECT_TRUE(admission.try_admit(1, 500));
  EXPECT_EQ(admission.bytes(), 1'900);
}

TEST(Admission, AnEmptyBufferTakesWhateverComes) {
  Admission admission(
      {.bytes_max = 100, .events_max = 1, .high_watermark = 0.9, .low_watermark = 0.1});
  EXPECT_TRUE(admission.try_admit(50, 5000));
  EXPECT_FALSE(admission.try_admit(1, 1));
  admission.release_events(50);
  admission.release_bytes(5000);
  EXPECT_TRUE(admission.try_admit(50, 5000)) << "open again";
}

constexpr Admission::Limits of_two_producers{.bytes_max = 1000,
                                             .events_max = 0,
                                             .high_watermark = 0.8,
                                             .low_watermark = 0.5,
                                             .producer_share = 0.5,
                                             .producers = 2};

TEST(Admission, OneProducerCannotFillItForAll) {
  Admission admission(of_two_producers);
  EXPECT_TRUE(admission.try_admit(1, 300, 1));
  EXPECT_FALSE(admission.try_admit(1, 200, 1)) << "above half of 800";
  EXPECT_TRUE(admission.try_admit(1, 450, 2)) << "of whom it holds nothing";
  EXPECT_FALSE(admission.try_admit(1, 100, 2));
  admission.release_bytes(300, 1);
  EXPECT_TRUE(admission.try_admit(1, 100, 1));
  EXPECT_EQ(admission.bytes(), 550);
}

TEST(Admission, RefusesAProducerAboveItsShareUntilBelowTheLowWatermark) {
  Admission admission(of_two_producers);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(admission.try_admit(1, 100, 1));
  }
  EXPECT_FALSE(admission.must_refuse(1)) << "at its share, but nothing was refused yet";
  EXPECT_FALSE(admission.try_admit(1, 1, 1));
  EXPECT_TRUE(admission.must_refuse(1));
  EXPECT_FALSE(admission.must_refuse(2));
  EXPECT_FALSE(admission.must_refuse());
  admission.release_events(1);
  admission.release_bytes(100, 1);
  EXPECT_TRUE(admission.must_refuse(1)) << "300 is above half of 500";
  EXPECT_FALSE(admission.try_admit(1, 1, 1));
  Admission::Limits twice = of_two_producers;
  twice.bytes_max *= 2;
  admission.set_limits(twice);
  EXPECT_FALSE(admission.must_refuse(1)) << "other limits";
  admission.set_limits({.bytes_max = 0, .events_max = 0});
  EXPECT_FALSE(admission.must_refuse(1)) << "none at all";
  admission.set_limits(of_two_producers);
  EXPECT_TRUE(admission.must_refuse(1));
  admission.release_events(1);
  admission.release_bytes(100, 1);
  EXPECT_FALSE(admission.must_refuse(1));
  EXPECT_TRUE(admission.try_admit(1, 200, 1)) << "up to its share again";
  EXPECT_FALSE(admission.must_refuse(1));
  EXPECT_EQ(admission.bytes(), 400);
}

TEST(Admission, CountsExactlyUnderContention) {
  Admission admission({.bytes_max = 60,
                       .events_max = 0,
                       .high_watermark = 0.9,
                       .low_watermark = 0.8,
                       .producer_share = 0.5,
                       .producers = 2});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&admission, producer = static_cast<std::size_t>(t % 3)] {
      for (int i = 0; i < 50'000; ++i) {
        if (admission.try_admit(2, 20, producer)) {
          admission.release_bytes(20, producer);
          admission.release_events(2);
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(admission.events(), 0);
  EXPECT_EQ(admission.bytes(), 0);
  for (std::size_t producer = 0; producer < 3; ++producer) {
    EXPECT_FALSE(admission.must_refuse(producer));
  }
}

}  // namespace
}  // namespace sluice::buffer

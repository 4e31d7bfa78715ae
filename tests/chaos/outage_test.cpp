// Goal: an outage of the upstream fills the disk and not the memory, and when it ends the backlog
// is delivered once, while new events are taken.
//
//   SLUICE_OUTAGE_EVENTS=5000000 build/release/bin/chaos_test --gtest_filter='Outage.*'
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "gateway_process.hpp"
#include "running_gateway.hpp"

namespace sluice::test {
namespace {

constexpr std::size_t request_events = 1'000;
[[maybe_unused]] constexpr std::size_t rss_bytes_allowed = 256U << 20;

std::uint64_t events_of_the_outage() {
  const char* text = std::getenv("SLUICE_OUTAGE_EVENTS");  // NOLINT(concurrency-mt-unsafe)
  return text == nullptr ? 200'000 : std::stoull(text);
}

TEST(Outage, FillsTheDiskAndNotTheMemoryAndIsDeliveredOnce) {
  simulator::Simulator upstream({.ledger = simulator::LedgerMode::compact});
  ASSERT_TRUE(upstream.start());
  ASSERT_TRUE(upstream.set_faults("status=503"));
  GatewayProcess gateway({.base_url = upstream.base_url(),
                          .more = "delivery: {backoff: {initial: 50ms, max: 500ms}}\n"});
  gateway.start();
  const std::string body = events(request_events);
  HttpClient producer(0, {.unix_path = gateway.ingest()});
  std::uint64_t acknowledged = 0;
  for (; acknowledged < events_of_the_outage(); acknowledged += request_events) {
    ASSERT_EQ(producer.post("/v4/events/batch", body).status, 202);
  }
  EXPECT_EQ(gateway.metric("events_delivered_total"), 0);
  ASSERT_TRUE(upstream.set_faults("[]"));
  // New events are taken while the backlog goes out.
  ASSERT_TRUE(eventually(
      [&] {
        acknowledged += producer.post("/v4/events/batch", events(10)).status == 202 ? 10 : 0;
        return upstream.ledger().summary().deliveries >= events_of_the_outage();
      },
      std::chrono::minutes(10)));
  ASSERT_TRUE(eventually([&] { return gateway.metric("buffer_events") == 0; }));
  EXPECT_EQ(upstream.ledger().summary().unique, acknowledged);
  EXPECT_EQ(gateway.unaccounted(), 0);
#ifndef SLUICE_SANITIZED  // which takes several times the memory
  EXPECT_LT(gateway.rss_bytes_max(), rss_bytes_allowed);
#endif
  RecordProperty("rss_mib_max", static_cast<int>(gateway.rss_bytes_max() >> 20));
  EXPECT_EQ(gateway.stop(), 0);
}

}  // namespace
}  // namespace sluice::test

// Goal: in the steady state, accepting an event allocates nothing: what a request needs is
// allocated once per request, or kept from the one before.
#include <cstdlib>
#include <new>
#include <string>

#include <gtest/gtest.h>

#include "accept_path.hpp"

namespace {

// Of this thread, so that others do not matter.
thread_local std::size_t allocations = 0;

void* allocate(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) {
    return memory;
  }
  throw std::bad_alloc();
}

}  // namespace

// All of the program's; each pair has to be replaced as a whole.
void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace sluice::ingest {
namespace {

constexpr std::size_t events_per_request = 100;

// Views, carts and purchases, without salts: each one that a producer gives takes its place in the
// deduplication window.
std::string array_of_events() {
  std::string out = "[";
  for (std::size_t i = 0; i < events_per_request; ++i) {
    const std::string head =
        R"(","time":"2025-02-28T23:59:30.250Z","client":{"customId":"C)" + std::to_string(i) +
        R"(","email":"customer@mail.example"},"params":{"source":"WEB_DESKTOP",)";
    out += i == 0 ? "" : ",";
    if (i % 3 == 0) {
      out += R"({"type":"product-view","label":"View)" + head +
             R"("productId":"12345","name":"Merino pullover","category":"Women/Knitwear"}})";
    } else if (i % 3 == 1) {
      out +=
          R"({"type":"added-to-cart","label":"Cart)" + head +
          R"("sku":"12345","name":"Merino pullover","quantity":2,"finalUnitPrice":{"amount":54.95,"currency":"EUR"}}})";
    } else {
      out += R"({"type":"custom","action":"order.placed","label":"Order)" + head +
             R"("orderId":"O-1","amount":54.95,"currency":"EUR"}})";
    }
  }
  return out + "]";
}

double allocations_per_event(const std::string& body) {
  constexpr int warm_runs = 50;
  constexpr int runs = 200;
  test::AcceptPath path(test::post_request("/v4/events/batch", body), events_per_request);
  for (int i = 0; i < warm_runs; ++i) {
    path.run();
  }
  const std::size_t before = allocations;
  for (int i = 0; i < runs; ++i) {
    path.run();
  }
  return static_cast<double>(allocations - before) / static_cast<double>(runs * events_per_request);
}

TEST(Allocations, OfAnArrayOfAHundredAreFewerThanOneInTenEvents) {
  const std::size_t before = allocations;
  ::operator delete(::operator new(1));  // a new expression might be optimised away
  ASSERT_EQ(allocations - before, 1) << "they are not counted";

  const double per_event = allocations_per_event(array_of_events());
  RecordProperty("allocations_per_event", std::to_string(per_event));
  EXPECT_LT(per_event, 0.1);
}

}  // namespace
}  // namespace sluice::ingest

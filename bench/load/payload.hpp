// The made-up traffic of a shop: product views, cart events and purchases, about 350 bytes each, of
// a given number of profiles. The same seed and time give the same bytes. No event has an
// eventSalt: a gateway gives each one its own, so that a pool of requests may be sent again and
// again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sluice/base/clock.hpp>
#include <sluice/base/rng.hpp>

#include "request_pool.hpp"

namespace sluice::load {

enum class Shape : std::uint8_t {
  array,   // a JSON array of events
  ndjson,  // an event per line
  single,  // one JSON object
};

[[nodiscard]] std::string_view content_type_of(Shape shape);

// Writes one event after the other.
class EventWriter {
 public:
  struct Options {
    std::string path;  // of the target: /v4/events/{type} takes events of that type only
    std::uint64_t profiles = 10'000;
    std::uint64_t seed = 1;
    WallTime now;  // the events happened in the minute before
  };

  explicit EventWriter(const Options& options);

  void append(std::string& out);

 private:
  enum class Kind : std::uint8_t {
    product_view,
    added_to_cart,
    removed_from_cart,
    custom,  // a purchase
  };

  [[nodiscard]] Kind next_kind();
  [[nodiscard]] static std::string_view type_of(Kind kind);

  Rng rng_;
  std::uint64_t profiles_;
  WallTime now_;
  bool any_kind_;  // else only_kind_, and no `type` member
  Kind only_kind_ = Kind::custom;
};

struct PayloadOptions {
  EventWriter::Options events;
  Shape shape = Shape::array;
  std::uint32_t batch = 100;  // events per request; a single has one
};

// As many requests as it takes for a profile to occur twice on average, within 64 MiB.
[[nodiscard]] RequestPool generate_requests(const PayloadOptions& options, const Framing& framing);

}  // namespace sluice::load

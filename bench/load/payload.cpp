#include "payload.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace sluice::load {
namespace {

struct Product {
  std::string_view name;
  std::string_view slug;
  std::string_view category;
};

constexpr std::array<Product, 8> products{{
    {"Merino crew-neck pullover", "merino-crew-neck-pullover", "Women/Knitwear"},
    {"Waxed canvas rucksack 24 l", "waxed-canvas-rucksack-24l", "Accessories/Bags"},
    {"Stoneware dinner plate, set of 4", "stoneware-dinner-plate-4", "Home/Tableware"},
    {"Trail running shoes GTX", "trail-running-shoes-gtx", "Sport/Shoes"},
    {"Espresso beans, dark roast 1 kg", "espresso-beans-dark-1kg", "Food/Coffee"},
    {"Linen bed set 200x220", "linen-bed-set-200x220", "Home/Bedroom"},
    {"Wireless over-ear headphones", "wireless-over-ear-headphones", "Electronics/Audio"},
    {"Selvedge denim jeans, slim", "selvedge-denim-jeans-slim", "Men/Jeans"},
}};
constexpr std::array<std::string_view, 3> sources{"WEB_DESKTOP", "WEB_MOBILE", "MOBILE_APP"};
constexpr std::array<std::string_view, 3> payments{"CARD", "TRANSFER", "CASH"};

void append_time(std::string& out, WallTime time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  fmt::format_to(std::back_inserter(out), "{:%FT%T}.{:03}Z",
                 fmt::gmtime(std::chrono::system_clock::to_time_t(second)),
                 (time - second).count());
}

}  // namespace

std::string_view content_type_of(Shape shape) {
  return shape == Shape::ndjson ? "application/x-ndjson" : "application/json";
}

EventWriter::EventWriter(const Options& options)
    : rng_(options.seed), profiles_(options.profiles), now_(options.now), any_kind_(true) {
  constexpr std::string_view prefix = "/v4/events/";
  for (const Kind kind :
       {Kind::product_view, Kind::added_to_cart, Kind::removed_from_cart, Kind::custom}) {
    if (options.path == std::string(prefix).append(type_of(kind))) {
      any_kind_ = false;
      only_kind_ = kind;
    }
  }
}

std::string_view EventWriter::type_of(Kind kind) {
  switch (kind) {
    case Kind::product_view:
      return "product-view";
    case Kind::added_to_cart:
      return "added-to-cart";
    case Kind::removed_from_cart:
      return "removed-from-cart";
    case Kind::custom:
      break;
  }
  return "custom";
}

// Of a hundred events of a shop, some seventy are views and ten are purchases.
EventWriter::Kind EventWriter::next_kind() {
  if (!any_kind_) {
    return only_kind_;
  }
  const std::uint64_t percent = rng_.below(100);
  if (percent < 70) {
    return Kind::product_view;
  }
  if (percent < 85) {
    return Kind::added_to_cart;
  }
  return percent < 90 ? Kind::removed_from_cart : Kind::custom;
}

void EventWriter::append(std::string& out) {
  constexpr std::uint64_t minute_ms = 60'000;
  const Kind kind = next_kind();
  const std::uint64_t profile = rng_.below(profiles_);
  const Product& product = products[rng_.below(products.size())];
  const std::uint64_t sku = 10'000 + rng_.below(90'000);
  const std::uint64_t cents = 499 + rng_.below(20'000);
  const std::uint64_t quantity = 1 + rng_.below(3);
  const std::string_view source = sources[rng_.below(sources.size())];
  const auto end = std::back_inserter(out);
  out += '{';
  if (any_kind_) {
    fmt::format_to(end, R"("type":"{}",)", type_of(kind));
  }
  if (kind == Kind::custom) {
    out += R"("action":"order.placed",)";
  }
  fmt::format_to(end, R"("label":"{}","time":")", product.name);
  append_time(out, now_ - std::chrono::milliseconds(rng_.below(minute_ms)));
  fmt::format_to(end,
                 R"(","client":{{"customId":"C{0:07}","email":"customer{0}@mail.example"}},)"
                 R"("params":{{"source":"{1}",)",
                 profile, source);
  switch (kind) {
    case Kind::product_view:
      fmt::format_to(end,
                     R"("productId":"{0}","name":"{1}","category":"{2}",)"
                     R"("url":"https://shop.example/p/{3}-{0}"}}}})",
                     sku, product.name, product.category, product.slug);
      break;
    case Kind::added_to_cart:
    case Kind::removed_from_cart:
      fmt::format_to(end,
                     R"("sku":"{}","name":"{}","quantity":{},"category":"{}",)"
                     R"("finalUnitPrice":{{"amount":{}.{:02},"currency":"EUR"}}}}}})",
                     sku, product.name, quantity, product.category, cents / 100, cents % 100);
      break;
    case Kind::custom:
      fmt::format_to(end,
                     R"("orderId":"O-{}","sku":"{}","quantity":{},"amount":{}.{:02},)"
                     R"("currency":"EUR","payment":"{}","category":"{}"}}}})",
                     rng_.below(100'000'000), sku, quantity, cents / 100, cents % 100,
                     payments[rng_.below(payments.size())], product.category);
      break;
  }
}

RequestPool generate_requests(const PayloadOptions& options, const Framing& framing) {
  constexpr std::size_t pool_bytes_max = 64UL << 20;
  constexpr std::uint64_t occurrences = 2;
  const std::uint32_t events = options.shape == Shape::single ? 1 : options.batch;
  const std::uint64_t profiles = options.events.profiles;
  const std::uint64_t requests_wanted =
      std::max<std::uint64_t>(64, occurrences * profiles / events);
  EventWriter writer(options.events);
  RequestPool pool;
  std::size_t pool_bytes = 0;
  std::string body;
  while (pool.size() < requests_wanted && pool_bytes < pool_bytes_max) {
    body = options.shape == Shape::array ? "[" : "";
    for (std::uint32_t i = 0; i < events; ++i) {
      if (i > 0) {
        body += options.shape == Shape::array ? ',' : '\n';
      }
      writer.append(body);
    }
    body += options.shape == Shape::array ? "]" : "";
    pool.push_back(make_request(framing, options.events.path, body, events));
    pool_bytes += pool.back().bytes.size();
  }
  return pool;
}

}  // namespace sluice::load

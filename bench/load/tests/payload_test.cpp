// Goal: the traffic is what it is said to be: well-formed, of the size and the profiles asked for,
// the same for the same seed, and framed as its shape demands. (run_test.cpp lets the strict
// simulator judge the events.)
#include "payload.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>
#include <zlib.h>

namespace sluice::load {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const WallTime now = std::chrono::sys_days(std::chrono::year(2025) / 3 / 1);

Framing framing_of(Shape shape, bool compressed = false) {
  return {.authority = "gateway:8080",
          .content_type = std::string(content_type_of(shape)),
          .gzip = compressed,
          .header_lines = {}};
}

PayloadOptions options_of(Shape shape, std::string path = "/v4/events/batch") {
  return {.events = {.path = std::move(path), .profiles = 50, .seed = 3, .now = now},
          .shape = shape,
          .batch = 20};
}

std::string_view body_of(const Request& request) {
  const std::string_view bytes = request.bytes;
  return bytes.substr(bytes.find("\r\n\r\n") + 4);
}

std::string unzip(std::string_view packed) {
  std::string body(1 << 20, '\0');
  z_stream stream{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(body.data());
  stream.avail_out = static_cast<uInt>(body.size());
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  body.resize(stream.total_out);
  inflateEnd(&stream);
  return body;
}

TEST(Payload, AnArrayHoldsItsEventsAndEachProfileOccurs) {
  const RequestPool pool = generate_requests(options_of(Shape::array), framing_of(Shape::array));
  simdjson::dom::parser parser;
  std::set<std::string> profiles;
  std::set<std::string> types;
  std::size_t events = 0;
  std::size_t bytes = 0;
  for (const Request& request : pool) {
    EXPECT_EQ(request.events, 20U);
    const std::string_view body = body_of(request);
    EXPECT_THAT(request.bytes,
                HasSubstr("Content-Length: " + std::to_string(body.size()) + "\r\n"));
    const auto items = parser.parse(body.data(), body.size()).get_array().value();
    EXPECT_EQ(items.size(), 20U);
    for (const auto item : items) {
      profiles.insert(std::string(item["client"]["customId"].get_string().value()));
      types.insert(std::string(item["type"].get_string().value()));
      EXPECT_EQ(item["eventSalt"].error(), simdjson::NO_SUCH_FIELD);
      const std::string_view time = item["time"].get_string().value();
      EXPECT_GT(time, "2025-02-28T23:59:00.000Z");
      EXPECT_LE(time, "2025-03-01T00:00:00.000Z");
      ++events;
    }
    bytes += body.size();
  }
  EXPECT_EQ(profiles.size(), 50U);
  EXPECT_THAT(types, ::testing::ElementsAre("added-to-cart", "custom", "product-view",
                                            "removed-from-cart"));
  EXPECT_NEAR(static_cast<double>(bytes) / static_cast<double>(events), 350, 50);
}

TEST(Payload, EachShapeIsFramedAsItsMediaTypeDemands) {
  const RequestPool lines = generate_requests(options_of(Shape::ndjson), framing_of(Shape::ndjson));
  EXPECT_THAT(lines.front().bytes, HasSubstr("Content-Type: application/x-ndjson\r\n"));
  EXPECT_EQ(std::ranges::count(body_of(lines.front()), '\n'), 19);
  EXPECT_EQ(lines.front().events, 20U);

  const RequestPool singles =
      generate_requests(options_of(Shape::single), framing_of(Shape::single));
  EXPECT_THAT(singles.front().bytes, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_EQ(body_of(singles.front()).front(), '{');
  EXPECT_EQ(singles.front().events, 1U);
}

TEST(Payload, ADedicatedPathGetsEventsOfItsTypeOnly) {
  const auto bodies = [](std::string path) {
    std::string all;
    for (const Request& request :
         generate_requests(options_of(Shape::single, std::move(path)), framing_of(Shape::single))) {
      all += body_of(request);
    }
    return all;
  };
  const std::string custom = bodies("/v4/events/custom");
  EXPECT_THAT(custom, Not(HasSubstr("\"type\"")));
  EXPECT_THAT(custom, HasSubstr("\"action\""));
  EXPECT_THAT(custom, Not(HasSubstr("\"productId\"")));
  const std::string views = bodies("/v4/events/product-view");
  EXPECT_THAT(views, Not(HasSubstr("\"type\"")));
  EXPECT_THAT(views, Not(HasSubstr("\"action\"")));
}

TEST(Payload, TheSeedDecides) {
  const auto first_bytes = [](std::uint64_t seed) {
    PayloadOptions options = options_of(Shape::array);
    options.events.seed = seed;
    return generate_requests(options, framing_of(Shape::array)).front().bytes;
  };
  EXPECT_EQ(first_bytes(1), first_bytes(1));
  EXPECT_NE(first_bytes(1), first_bytes(2));
}

TEST(Payload, ACompressedBodyIsTheSameBody) {
  const RequestPool plain = generate_requests(options_of(Shape::array), framing_of(Shape::array));
  const RequestPool packed =
      generate_requests(options_of(Shape::array), framing_of(Shape::array, true));
  EXPECT_THAT(packed.front().bytes, HasSubstr("Content-Encoding: gzip\r\n"));
  EXPECT_LT(body_of(packed.front()).size(), body_of(plain.front()).size());
  EXPECT_EQ(unzip(body_of(packed.front())), body_of(plain.front()));
}

}  // namespace
}  // namespace sluice::load

// Goal: whatever the RFCs let a compressed body be made of is decoded, within its decoded_max;
// anything else is refused.
#include "content_decoder.hpp"

#include <gtest/gtest.h>
#include <zstd.h>

#include "deflate.hpp"

namespace sluice::ingest {
namespace {

using test::deflated;
using test::gzip;

constexpr std::size_t padding = 8;
constexpr std::size_t decoded_max = 1U << 20;

std::string zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 1));
  return out;
}
// RFC 8878, 3.1.2: a magic number, a length, and what is not looked at.
std::string skippable(std::string_view content) {
  std::string out("\x53\x2A\x4D\x18", 4);
  out += static_cast<char>(content.size());
  return out + std::string(3, '\0') + std::string(content);
}

class ContentDecoderTest : public testing::Test {
 protected:
  // The text, or why there is none.
  std::string decode(ContentCoding coding, const std::string& body,
                     std::size_t bytes_max = decoded_max) {
    const auto decoded = decoder_.decode(coding, body, bytes_max, padding);
    if (!decoded) {
      return decoded.error() == DecodeError::broken ? "broken" : "too large";
    }
    return {decoded->data(), decoded->size()};
  }

  ContentDecoder decoder_;
};

TEST_F(ContentDecoderTest, AGzipBodyIsASeriesOfMembers) {
  const auto gunzip = [&](const std::string& body) { return decode(ContentCoding::gzip, body); };
  EXPECT_EQ(gunzip(gzip("one")), "one");
  EXPECT_EQ(gunzip(gzip("one ") + gzip("two ") + gzip("") + gzip("three")), "one two three");
  const std::string large(300'000, 'x');
  EXPECT_EQ(gunzip(gzip(large) + gzip("!") + gzip(large)), large + "!" + large);
  std::string many;
  for (int i = 0; i < 10'000; ++i) {
    many += gzip("a");
  }
  EXPECT_EQ(gunzip(many), std::string(10'000, 'a'));
}

TEST_F(ContentDecoderTest, ZerosMayFollowTheLastMember) {
  const auto gunzip = [&](const std::string& body) { return decode(ContentCoding::gzip, body); };
  EXPECT_EQ(gunzip(gzip("one") + std::string(1, '\0')), "one");
  EXPECT_EQ(gunzip(gzip("one") + gzip("two") + std::string(100'000, '\0')), "onetwo");
  EXPECT_EQ(gunzip(gzip("one") + std::string(8, '\0') + "x"), "broken");
  EXPECT_EQ(gunzip(gzip("one") + std::string(8, '\0') + gzip("two")), "broken");
  EXPECT_EQ(decode(ContentCoding::deflate, deflated("one", MAX_WBITS) + std::string(1, '\0')),
            "broken");
}

TEST_F(ContentDecoderTest, WhatFollowsAMemberIsAnother) {
  const auto gunzip = [&](const std::string& body) { return decode(ContentCoding::gzip, body); };
  for (const std::string& garbage :
       {std::string("x"), std::string("\x1F"), std::string("\x1F\x8B"), std::string("\x1F\x8C"),
        gzip("two").substr(0, 12), deflated("two", MAX_WBITS), std::string("{}")}) {
    EXPECT_EQ(gunzip(gzip("one") + garbage), "broken");
  }
  std::string wrong_sum = gzip("two");
  wrong_sum[wrong_sum.size() - 6] ^= 1;
  EXPECT_EQ(gunzip(gzip("one") + wrong_sum), "broken");
  EXPECT_EQ(gunzip(gzip("one")), "one") << "nothing is left of what went before";
}

TEST_F(ContentDecoderTest, DeflateComesWithAHeaderAndWithout) {
  for (const int window_bits : {MAX_WBITS, -MAX_WBITS}) {
    const std::string body = deflated("some text", window_bits);
    EXPECT_EQ(decode(ContentCoding::deflate, body), "some text");
    EXPECT_EQ(decode(ContentCoding::deflate, body + body), "broken") << "it has no members";
    EXPECT_EQ(decode(ContentCoding::deflate, body.substr(0, body.size() - 1)), "broken");
  }
}

TEST_F(ContentDecoderTest, AZstdBodyIsASeriesOfFramesSomeOfWhichAreSkipped) {
  const auto unzstd = [&](const std::string& body) { return decode(ContentCoding::zstd, body); };
  EXPECT_EQ(unzstd(zstd("one ") + zstd("") + zstd("two")), "one two");
  EXPECT_EQ(unzstd(skippable("?") + zstd("one ") + skippable("") + zstd("two") + skippable("end")),
            "one two");
  EXPECT_EQ(unzstd(zstd("one") + "x"), "broken");
  EXPECT_EQ(unzstd(zstd("one") + std::string(4, '\0')), "broken");
  EXPECT_EQ(unzstd(zstd("one") + zstd("two").substr(0, 8)), "broken");
  EXPECT_EQ(unzstd(zstd("one") + skippable("abc").substr(0, 9)), "broken");
}

TEST_F(ContentDecoderTest, TheLimitHoldsOverAllOfThem) {
  const std::string text(1'000, 'x');
  for (const auto& [coding, part] :
       {std::pair(ContentCoding::gzip, gzip(text)), std::pair(ContentCoding::zstd, zstd(text))}) {
    EXPECT_EQ(decode(coding, part + part, 2'000), text + text);
    EXPECT_EQ(decode(coding, part + part, 1'999), "too large");
    EXPECT_EQ(decode(coding, part + part, 1'000), "too large");
  }
}

}  // namespace
}  // namespace sluice::ingest

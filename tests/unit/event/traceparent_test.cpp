// Goal: of a `traceparent`, what the W3C Trace Context calls valid is taken, and nothing else.
#include <string>

#include <gtest/gtest.h>

#include <sluice/event/traceparent.hpp>

namespace sluice {
namespace {

const std::string valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

// Empty for what is not taken.
std::string parsed(std::string_view header) {
  const auto trace = parse_traceparent(header);
  return trace ? std::string(trace->data(), trace->size()) : "";
}

TEST(Traceparent, OfVersion00IsTakenAsItIs) {
  EXPECT_EQ(parsed(valid), valid);
  const std::string other_flags = valid.substr(0, 53) + "f2";
  EXPECT_EQ(parsed(other_flags), other_flags);
}

TEST(Traceparent, OfALaterVersionIsTakenAsFarAs00KnowsIt) {
  const std::string later = "cc" + valid.substr(2);
  EXPECT_EQ(parsed(later), valid);
  EXPECT_EQ(parsed(later + "-what-comes-then"), valid);
  EXPECT_EQ(parsed(later.substr(0, 53) + "fe"), valid.substr(0, 53) + "00") << "not sampled";
  EXPECT_EQ(parsed(later.substr(0, 53) + "ff-"), valid) << "sampled";
  EXPECT_EQ(parsed(later + "x"), "") << "no dash behind the flags";
}

TEST(Traceparent, ThatIsInvalidIsNone) {
  const auto with = [](std::size_t at, std::string_view text) {
    return std::string(valid).replace(at, text.size(), text);
  };
  for (const std::string& header :
       {std::string(), valid.substr(0, 54), valid + "0", valid + "-", valid + "," + valid,
        with(0, "ff"), with(0, "0x"), with(2, "_"), with(35, "_"), with(52, "_"), with(3, "4B"),
        with(10, "g"), with(3, std::string(32, '0')), with(36, std::string(16, '0')), with(40, " "),
        with(53, "0G"), " " + valid.substr(1)}) {
    EXPECT_EQ(parsed(header), "") << header;
  }
}

TEST(Traceparent, HasATraceId) {
  EXPECT_EQ(trace_id_of(valid), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(trace_id_of(""), "");
}

}  // namespace
}  // namespace sluice

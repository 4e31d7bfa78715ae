// Goal: whatever others wrote, a terminal shows it and does nothing else; JSON stays the same JSON.
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <sluice/base/json_text.hpp>
#include <sluice/base/printable.hpp>

namespace sluice {
namespace {

struct Case {
  std::string_view written;
  std::string_view shown;
};

constexpr Case cases[] = {
    {"plain, caf\u00e9, \u65e5\u672c, \U0001F600", "plain, caf\u00e9, \u65e5\u672c, \U0001F600"},
    {"\x1b[31mred", "\\u001b[31mred"},
    {"\r", "\\u000d"},
    {"\x7f", "\\u007f"},
    {"\xC2\x80", "\\u0080"},
    {"\xC2\x9B"
     "31m",
     "\\u009b31m"},
    {"\xC2\x9F", "\\u009f"},
    {"\xC2\xA0", "\xC2\xA0"},
    {"\x9B"
     "31m",
     "\xEF\xBF\xBD"
     "31m"},  // as one byte: C1 where a terminal does not speak UTF-8
    {"\u061c", "\\u061c"},
    {"\u200b\u200d\u200e\u200f", "\\u200b\\u200d\\u200e\\u200f"},
    {"\u2028\u2029", "\\u2028\\u2029"},
    {"\u202a\u202e", "\\u202a\\u202e"},
    {"\u2066\u2069", "\\u2066\\u2069"},
    {"\ufeff", "\\ufeff"},
    {"\U000E0041", "\\udb40\\udc41"},
    {"\xC2", "\xEF\xBF\xBD"},
};

TEST(Printable, ShowsWhatWouldActAsItsNumber) {
  for (const Case& c : cases) {
    EXPECT_EQ(printable(c.written), c.shown);
    EXPECT_EQ(printable(c.shown), c.shown) << "again";
  }
  EXPECT_EQ(printable("a\nb"), "a\\u000ab");
  EXPECT_EQ(printable("a\nb", LineBreaks::kept), "a\nb");
}

TEST(Printable, JsonStringsAreWrittenSo) {
  for (const Case& c : cases) {
    std::string json;
    append_json_string(json, c.written);
    EXPECT_EQ(json, '"' + std::string(c.shown) + '"');
    EXPECT_EQ(printable(json), json);
  }
}

}  // namespace
}  // namespace sluice

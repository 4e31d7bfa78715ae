// Goal: the small things everything stands on: randomness that replays, JSON text, logs that are
// bounded.
#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <sluice/base/base64.hpp>
#include <sluice/base/json_text.hpp>
#include <sluice/base/log.hpp>
#include <sluice/base/rng.hpp>
#include <sluice/base/sha256.hpp>

namespace sluice {
namespace {

using testing::HasSubstr;

TEST(Rng, ReplaysASeedAndKeepsToItsBound) {
  Rng first(42);
  Rng second(42);
  Rng other(43);
  EXPECT_NE(first(), other());
  second();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(first(), second());
    EXPECT_LT(first.below(7), 7);
    second.below(7);
  }
}

TEST(Rng, SystemEntropyDiffersEachTime) {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100; ++i) {
    seen.insert(Rng::from_system_entropy()());
  }
  EXPECT_EQ(seen.size(), 100);
}

TEST(Base64, IsThatOfTheStandardBothWays) {
  struct Case {
    std::string_view bytes;
    const char* text;
    const char* for_urls;
  };
  for (const auto& [bytes, text, for_urls] :
       {Case{"", "", ""}, Case{"f", "Zg==", "Zg"}, Case{"fo", "Zm8=", "Zm8"},
        Case{"foo", "Zm9v", "Zm9v"}, Case{"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        Case{"\xfb\xef\xff\xfe", "++///g==", "--___g"},
        Case{std::string_view("\0\0", 2), "AAA=", "AAA"}}) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(decode_base64(text), bytes);
    EXPECT_EQ(encode_base64url(bytes), for_urls);
    EXPECT_EQ(decode_base64url(for_urls), bytes);
    EXPECT_EQ(decode_base64url(text), bytes);
  }
  for (const char* text : {"Z", "Zg=", "Zg===", "====", "Z===", "Zm9vY", "Zm?v"}) {
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
  }
  EXPECT_EQ(decode_base64url("Zm9vY"), std::nullopt);
  EXPECT_EQ(decode_base64url("Zm.v"), std::nullopt);
}

TEST(Sha256, IsThatOfTheStandard) {
  const Sha256 digest = sha256("abc");
  EXPECT_THAT(std::vector<unsigned char>(digest.begin(), digest.begin() + 4),
              testing::ElementsAre(0xBA, 0x78, 0x16, 0xBF));
  EXPECT_EQ(digest.back(), 0xAD);
}

TEST(JsonText, EscapesAndReplacesWhatIsNotUtf8) {
  const auto quoted = [](std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
  };
  EXPECT_EQ(quoted("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
  EXPECT_EQ(quoted("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
            "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
  for (const char* bad :
       {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"}) {
    EXPECT_THAT(quoted(bad), HasSubstr("\xef\xbf\xbd")) << bad;
  }
}

TEST(Log, WritesFieldsAndHoldsBackWhatRepeats) {
  log::configure(log::Level::info, log::Format::json);
  testing::internal::CaptureStderr();
  for (std::uint32_t i = 0; i < 3 * log::log_burst; ++i) {
    SLUICE_LOG(warn, "again \"and\" again", {"n", i}, {"why", "x\ny"}, {"ok", true});
  }
  SLUICE_LOG(debug, "below the level");
  log::flush();
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(text, '\n'), log::log_burst);
  EXPECT_THAT(
      text,
      HasSubstr(
          R"("level":"warn","message":"again \"and\" again","n":0,"why":"x\u000ay","ok":true})"));
  EXPECT_THAT(text, testing::Not(HasSubstr("below the level")));
}

// Standard error as a pipe that nobody reads, and that is full.
class UnreadStandardError {
 public:
  UnreadStandardError() : saved_(::dup(STDERR_FILENO)) {
    EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
    ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    ::fcntl(ends_[1], F_SETFL, O_NONBLOCK);
    const std::string filling(4'096, '.');
    while (::write(ends_[1], filling.data(), filling.size()) > 0) {
    }
    ::fcntl(ends_[1], F_SETFL, 0);
    ::dup2(ends_[1], STDERR_FILENO);
  }
  ~UnreadStandardError() {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  UnreadStandardError(const UnreadStandardError&) = delete;
  UnreadStandardError& operator=(const UnreadStandardError&) = delete;

  // Reads on until this has come.
  [[nodiscard]] std::string read_to(std::string_view end) const {
    std::string text;
    std::array<char, 4'096> piece{};
    while (text.find(end) == std::string::npos) {
      pollfd ready{.fd = ends_[0], .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 20'000) <= 0) {
        break;
      }
      const ssize_t bytes = ::read(ends_[0], piece.data(), piece.size());
      text.append(piece.data(), static_cast<std::size_t>(std::max<ssize_t>(bytes, 0)));
    }
    return text;
  }

 private:
  int saved_;
  std::array<int, 2> ends_{};
};

// The last of this program: lines are written in the background from here on.
TEST(LogInBackground, WaitsForNobodyAndSaysWhatIsMissing) {
  log::configure(log::Level::info, log::Format::human);
  log::write_in_background();
  constexpr std::size_t lines = 3'000;
  const std::string filling(1'000, 'x');
  const UnreadStandardError standard_error;
  for (std::size_t i = 0; i < lines; ++i) {
    log::Site site;  // another place each time: none is held back
    log::write(log::Level::info, site, "line", {{"n", i}, {"filling", filling}});
  }
  const std::uint64_t dropped = log::lines_dropped();
  EXPECT_GT(dropped, lines / 3);
  EXPECT_LT(dropped, lines);
  log::flush();
  log::write_last("nobody waits for this\n");

  const std::string text = standard_error.read_to("n=2999");
  EXPECT_THAT(text, HasSubstr("some were dropped here lines=" + std::to_string(dropped) + "\n"));
  std::size_t written = 0;
  for (std::size_t at = 0; (at = text.find(" line n=", at)) != std::string::npos; ++at) {
    ++written;
  }
  EXPECT_EQ(written + dropped, lines);
  EXPECT_LT(text.find("n=2998 "), text.find("n=2999 ")) << "in their order";
  EXPECT_EQ(log::lines_dropped(), dropped);
}

}  // namespace
}  // namespace sluice

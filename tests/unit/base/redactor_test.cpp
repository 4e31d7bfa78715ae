// Goal: no secret is left in a text that repeats it, in whatever form texts have it; what is no
// secret stays as it is.
#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <sluice/base/base64.hpp>
#include <sluice/base/json_text.hpp>
#include <sluice/base/log.hpp>
#include <sluice/base/percent.hpp>
#include <sluice/base/redactor.hpp>

namespace sluice {
namespace {

constexpr std::string_view secret = "k3y/with+signs&\"quotes\"";

std::string redacted(std::string_view text) {
  Redactor redactor;
  redactor.add(secret);
  return redactor.redacted(text);
}

TEST(Redactor, FindsASecretInEachOfItsForms) {
  std::string json;
  append_json_string(json, secret);
  json = json.substr(1, json.size() - 2);
  for (const std::string& form : {std::string(secret), json, encode_percent(secret),
                                  std::string("k3y/with+signs&amp;&quot;quotes&quot;"),
                                  std::string("k3y%2fwith%2bsigns%26%22quotes%22")}) {
    EXPECT_EQ(redacted("before " + form + " behind"), "before [redacted] behind") << form;
  }
}

TEST(Redactor, FindsASecretWithinBase64) {
  for (const char* user : {"", "u:", "us:", "use:", "01234567-89ab-cdef-0123-456789abcdef:"}) {
    const std::string pair = user + std::string(secret);
    for (const std::string& encoded :
         {encode_base64(pair), encode_base64url(pair), encode_percent(encode_base64(pair))}) {
      const std::string text = redacted("Authorization: Basic " + encoded + "\r\n");
      EXPECT_NE(text.find("[redacted]"), std::string::npos) << encoded;
      // Of the secret's own characters two at most are left on each side.
      const std::size_t left = text.size() - std::string_view("Authorization: Basic \r\n").size() -
                               Redactor::mark.size();
      EXPECT_LE(left, encode_base64(user).size() + 6) << text;
    }
  }
}

TEST(Redactor, FindsWhatIsCutOffWithTheText) {
  EXPECT_EQ(redacted("before " + std::string(secret.substr(0, 9))), "before [redacted]");
  EXPECT_EQ(redacted("before k3y/wit"), "before k3y/wit") << "too little to tell";
}

TEST(Redactor, LeavesTheRestAlone) {
  for (const char* text : {"", "k3y", "an ordinary page, long enough", "k3y/with+another"}) {
    EXPECT_EQ(redacted(text), text);
  }
  Redactor redactor;
  redactor.add("short");
  redactor.add("");
  EXPECT_EQ(redactor.redacted("a short text"), "a short text");
}

TEST(Redactor, TheLongestSecretCounts) {
  Redactor redactor;
  redactor.add("abcdefgh");
  redactor.add("abcdefgh-ijkl");
  EXPECT_EQ(redactor.redacted("abcdefgh-ijkl abcdefgh"), "[redacted] [redacted]");
}

TEST(Redactor, RemembersThoseThatWereReplacedUntilThereAreTooMany) {
  Redactor redactor;
  for (std::size_t i = 0; i <= Redactor::secrets_max; ++i) {
    redactor.add("secret-number-" + std::to_string(1'000'000 + i));
  }
  EXPECT_EQ(redactor.redacted("secret-number-1000001 "), "[redacted] ");
  EXPECT_EQ(redactor.redacted("secret-number-1000000 "), "secret-number-1000000 ");
}

// As tokens do, whose heads are all the same.
TEST(Redactor, TellsThoseApartThatBeginAlike) {
  Redactor redactor;
  const std::string head = "eyJhbGciOiJIUzI1NiJ9.";
  const auto token = [&](int i) { return head + std::to_string(1'000'000 + i); };
  for (int i = 0; i < 3'000; i += 2) {
    redactor.add(token(i));
  }
  redactor.add(head + "1000");  // which others go on from
  for (int i = 0; i < 3'000; ++i) {
    const std::string found = redactor.redacted(token(i) + " ");
    if (i % 2 == 0) {
      EXPECT_EQ(found, "[redacted] ");
    } else if (i < 1'000) {
      EXPECT_EQ(found, "[redacted]" + token(i).substr(head.size() + 4) + " ");
    } else {
      EXPECT_EQ(found, token(i) + " ");
    }
  }
  EXPECT_EQ(redactor.redacted(head + "1002"), "[redacted]") << "cut off";
}

TEST(Redactor, KeepsATokenUntilItOpensNothingAnyMore) {
  Redactor redactor;
  const MonoTime start{};
  redactor.add("a-key-for-good");
  for (int i = 0; i < 100; ++i) {
    const MonoTime now = start + std::chrono::minutes(i);
    redactor.add_until("token-number-" + std::to_string(i), now + std::chrono::minutes(10), now);
    EXPECT_LE(redactor.size(), 11U);
  }
  EXPECT_EQ(redactor.redacted("a-key-for-good token-number-89 token-number-90 token-number-99 "),
            "[redacted] token-number-89 [redacted] [redacted] ");
  redactor.add_until("a-key-for-good", start, start);
  redactor.add_until("token-number-99", start + std::chrono::hours(9), start);
  redactor.add_until("another-token", start + std::chrono::hours(9), start + std::chrono::hours(8));
  EXPECT_EQ(redactor.size(), 3U);
  EXPECT_EQ(redactor.redacted("a-key-for-good token-number-99 "), "[redacted] [redacted] ");
}

TEST(Redactor, CutsWhatHasNoSecretsAnyMore) {
  Redactor redactor;
  redactor.add(secret);
  const std::string text = "before " + std::string(secret) + " behind";
  EXPECT_EQ(redactor.redacted(text, 9), "before [r");
  EXPECT_EQ(redactor.redacted(text, 20), "before [redacted] be");
  EXPECT_EQ(redactor.redacted(text, 100), "before [redacted] behind");
  EXPECT_EQ(Redactor().redacted(text, 9), "before k3");
}

TEST(Redactor, TheLogUsesIt) {
  known_secrets().add("a-secret-of-this-process");
  log::configure(log::Level::info, log::Format::json);
  testing::internal::CaptureStderr();
  SLUICE_LOG(warn, "refused", {"why", "Authorization: Bearer a-secret-of-this-process"});
  log::flush();
  const std::string line = testing::internal::GetCapturedStderr();
  EXPECT_NE(line.find("Bearer [redacted]"), std::string::npos) << line;
  EXPECT_EQ(line.find("a-secret"), std::string::npos) << line;
}

}  // namespace
}  // namespace sluice

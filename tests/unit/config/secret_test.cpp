// Goal: a key is the same however an editor, a shell or a secret store has padded it, wherever it
// is written and whenever it is read; what is no key says so and is never quoted.

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <sluice/config/secret.hpp>

#include "reading.hpp"

namespace sluice::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// 32 characters, as a token_key must have.
constexpr std::string_view plain_key = "0123456789 abcdef 0123456789 \xC5\x82.";

const std::vector<std::string>& padded() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> made;
    for (const char* format : {"{}", "{}\n", "{}\r\n\n", " {}", "\t {} \t", "\n{}\n", "{} \n",
                               "\xEF\xBB\xBF{}", "\xEF\xBB\xBF {}\r\n", "\v{}\f"}) {
      std::string text = format;
      made.push_back(text.replace(text.find("{}"), 2, plain_key));
    }
    return made;
  }();
  return all;
}

// A configuration with `secret` as each of its secrets; FILE stands for a path that holds it.
Config with_each_secret(const std::string& secret, bool in_files) {
  const World world{.variables = {{"KEY", secret}}, .files = {{"/key", secret}}};
  std::string text = R"(
ingest:
  token_key: "${KEY}"
  producers:
    - {name: a, key: "${KEY}", keys: [{key: "${KEY}"}]}
admin: {token: "${KEY}"}
workspaces:
  - auth: {method: jwt, api_key: "${KEY}"}
)";
  if (in_files) {
    for (const auto& [from, to] : {std::pair{"key: \"${KEY}\"", "key_file: /key"},
                                   std::pair{"token: \"${KEY}\"", "token_file: /key"}}) {
      for (auto at = text.find(from); at != std::string::npos; at = text.find(from)) {
        text.replace(at, std::string_view(from).size(), to);
      }
    }
  }
  return config_of(text, world);
}

std::vector<std::string> secrets_of(const Config& config) {
  std::vector<std::string> all;
  for (const Secret& producer_key : config.ingest.producers.at(0).keys) {
    all.push_back(producer_key.value);
  }
  all.push_back(config.ingest.token_key.value_or(Secret{}).value);
  all.push_back(config.admin.token.value_or(Secret{}).value);
  all.push_back(config.workspaces.at(0).auth.api_key.value);
  return all;
}

TEST(Secrets, AreTheSameHoweverTheyArePadded) {
  for (const std::string& text : padded()) {
    for (const bool in_files : {false, true}) {
      EXPECT_THAT(secrets_of(with_each_secret(text, in_files)),
                  ElementsAre(plain_key, plain_key, plain_key, plain_key, plain_key))
          << testing::PrintToString(text) << in_files;
    }
  }
}

TEST(Secrets, AreTheSameWhenTheirFileIsReadAgain) {
  for (const std::string& text : padded()) {
    const auto read =
        read_again({.value = "before", .file = "/key"}, "api_key_file",
                   World{.variables = {}, .files = {{"/key", text}}}.environment().read_file);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->value, plain_key) << testing::PrintToString(text);
    EXPECT_EQ(read->file, "/key");
  }
}

TEST(Secrets, WithoutAFileStayAsTheyAre) {
  const auto read = read_again({.value = " k ", .file = ""}, "api_key_file", nullptr);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->value, " k ");
}

struct NoSecret {
  std::string text;
  std::string what;
};

TEST(Secrets, WhatIsNoneSaysWhatWhereAndHowToMendIt) {
  const std::vector<NoSecret> all{
      {"", "names a file that is empty: put the key there"},
      {" \r\n\t", "names a file that is empty: put the key there"},
      {"\xEF\xBB\xBF\n", "names a file that is empty: put the key there"},
      {"s3cret\ns3cret",
       "has line breaks or control characters inside: put the key alone, on one line"},
      {"s3\x7F"
       "cret",
       "has line breaks or control characters inside: put the key alone, on one line"},
      {std::string("s\0003", 3),
       "has line breaks or control characters inside: put the key alone, on one line"},
      {std::string("\xFF\xFEs\0003\000", 6),
       "names a file that is UTF-16: save it as UTF-8 or plain text, the key alone on one line"},
      {std::string("\xFE\xFF\000s\0003", 6),
       "names a file that is UTF-16: save it as UTF-8 or plain text, the key alone on one line"},
  };
  for (const NoSecret& none : all) {
    const World world{.variables = {}, .files = {{"/key", none.text}}};
    EXPECT_THAT(mistakes_in("workspaces:\n  - auth: {method: jwt, api_key_file: /key}", world),
                ElementsAre("sluice.yaml:2: workspaces[0].auth.api_key_file " + none.what));
    const auto read =
        read_again({.value = "before", .file = "/key"}, "api_key_file of the workspace default",
                   world.environment().read_file);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().message, "api_key_file of the workspace default (/key) " + none.what);
    EXPECT_THAT(read.error().message, Not(HasSubstr("s3")));
  }
}

}  // namespace
}  // namespace sluice::config

// Goal: files with keys are read again as they were read at the start, and one that holds no key
// says whose it is.
#include "secret_files.hpp"

#include <map>

#include <gmock/gmock.h>

namespace sluice::runtime {
namespace {

using testing::HasSubstr;

using Files = std::map<std::string, std::string>;

config::Environment environment_of(Files files) {
  return {.variable = [](const std::string&) { return std::nullopt; },
          .read_file = [files = std::move(files)](const std::string& path) -> Result<std::string> {
            const auto found = files.find(path);
            if (found != files.end()) {
              return found->second;
            }
            return failure(std::errc::no_such_file_or_directory, "No such file or directory");
          }};
}

config::Config config_of(const Files& files) {
  auto config = config::parse(R"(
ingest:
  producers:
    - {name: a, key_file: /a}
    - {name: b, keys: [{key_file: /b}, {key: inline}]}
admin: {token_file: /token}
workspaces:
  - auth: {method: jwt, api_key_file: /api}
)",
                              "sluice.yaml", environment_of(files));
  EXPECT_TRUE(config) << config.error().at(0).to_string();
  return std::move(config).value_or(config::Config{});
}

std::vector<std::string> secrets_of(const config::Config& config) {
  const auto& producers = config.ingest.producers;
  return {producers.at(0).keys.at(0).value, producers.at(1).keys.at(0).value,
          producers.at(1).keys.at(1).value, config.admin.token.value_or(config::Secret{}).value,
          config.workspaces.at(0).auth.api_key.value};
}

const Files plain_files{{"/a", "ka"}, {"/b", "kb"}, {"/token", "t"}, {"/api", "api"}};

TEST(SecretFiles, AreReadAgainAsTheyWereAtTheStart) {
  for (const char* padding : {"", "\n", " \r\n", "\t"}) {
    for (const char* mark : {"", "\xEF\xBB\xBF"}) {
      Files padded;
      for (const auto& [path, key] : plain_files) {
        padded[path] = mark + std::string(padding) + key + padding;
      }
      const std::vector<std::string> expected{"ka", "kb", "inline", "t", "api"};
      const config::Config started = config_of(padded);
      EXPECT_EQ(secrets_of(started), expected);
      const auto again = reread_secrets(config_of(plain_files), environment_of(padded));
      ASSERT_TRUE(again) << again.error().message;
      EXPECT_EQ(secrets_of(*again), expected);
    }
  }
}

TEST(SecretFiles, OneWithoutAKeySaysWhoseItIs) {
  const std::map<std::string, std::string> keys{{"/a", "key_file of the producer a (/a) "},
                                                {"/b", "key_file of the producer b (/b) "},
                                                {"/token", "admin.token_file (/token) "},
                                                {"/api", "api_key_file of the workspace default "}};
  for (const auto& [path, key] : keys) {
    Files changed = plain_files;
    changed[path] = "two\nlines";
    const auto again = reread_secrets(config_of(plain_files), environment_of(changed));
    ASSERT_FALSE(again) << path;
    EXPECT_THAT(again.error().message, HasSubstr(key));
    EXPECT_THAT(again.error().message, HasSubstr("put the key alone, on one line"));
  }
}

TEST(SecretFiles, TwoProducersCannotComeToHaveTheSameKey) {
  Files changed = plain_files;
  changed["/b"] = "\xEF\xBB\xBFka \n";
  const auto again = reread_secrets(config_of(plain_files), environment_of(changed));
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("the same key as another one"));
}

// What is not a change of the key is none of the file: it need not be taken over again.
TEST(SecretFiles, OneThatHoldsAnotherKeyByNowHasNoStamp) {
  const config::Config config = config_of(plain_files);
  Files changed = plain_files;
  changed["/a"] = "other";
  changed["/b"] = " kb\n";
  const FileStamps stamps = stamps_as_read(config, environment_of(changed));
  EXPECT_EQ(stamps.at("/a"), FileStamp{});
  EXPECT_EQ(stamps.size(), 4U);
}

}  // namespace
}  // namespace sluice::runtime

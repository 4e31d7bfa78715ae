// Goal: variables are replaced in values, and only in values; what is not a variable stays as it
// is.

#include <gmock/gmock.h>

#include "reading.hpp"

namespace sluice::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const World small_world{.variables = {{"NAME", "value"}, {"EMPTY", ""}, {"_A1", "x"}}, .files = {}};

// The buffer's path, which is any text.
std::string path_of(const std::string& written) {
  return config_of(std::string(small_file) + "buffer: {path: '" + written + "'}", small_world)
      .buffer.path;
}

TEST(Interpolate, Forms) {
  struct Case {
    const char* written;
    const char* read;
  };
  for (const Case& c : {
           Case{"plain", "plain"},
           Case{"${NAME}", "value"},
           Case{"/a/${NAME}/${_A1}.sock", "/a/value/x.sock"},
           Case{"${NAME:-other}", "value"},
           Case{"${UNSET:-other}", "other"},
           Case{"a${UNSET:-}", "a"},
           Case{"${EMPTY:-other}", "other"},
           Case{"a${EMPTY}", "a"},
           Case{"${UNSET:-a:-b $$ c}", "a:-b $$ c"},
           Case{"$${NAME}", "${NAME}"},
           Case{"$$$$", "$$"},
           Case{"$NAME $ 5$", "$NAME $ 5$"},
           Case{"{/a}", "{/a}"},
       }) {
    EXPECT_EQ(path_of(c.written), c.read) << c.written;
  }
}

TEST(Interpolate, NumbersSizesAndWordsCanBeVariables) {
  const World numbers{.variables = {{"N", "7"}, {"S", "2GiB"}, {"B", "true"}, {"T", "memory"}},
                      .files = {}};
  const Config config = config_of(std::string(small_file) + R"(
delivery: {lanes: "${N}"}
buffer: {type: "${T}", max_bytes: "${S}"}
ingest: {allow_anonymous: "${B}"}
)",
                                  numbers);
  EXPECT_EQ(config.delivery.lanes, 7U);
  EXPECT_EQ(config.buffer.type, BufferType::memory);
  EXPECT_EQ(config.buffer.max_bytes, std::size_t{2} << 30);
  EXPECT_TRUE(config.ingest.allow_anonymous);
}

TEST(Interpolate, VariableNeverAddsStructure) {
  const World hostile{.variables = {{"V", "a\"}\nadmin: {listen: 0.0.0.0:1}\nx: [1, 2]"}},
                      .files = {}};
  const Config config = config_of(std::string(small_file) + "buffer: {path: \"${V}\"}", hostile);
  EXPECT_EQ(config.buffer.path, hostile.variables.at("V"));
  EXPECT_EQ(config.admin, Admin{});
}

TEST(Interpolate, KeysAreTakenAsTheyAre) {
  EXPECT_THAT(mistakes_in(std::string(small_file) + "${NAME}: 1", small_world),
              ElementsAre(HasSubstr("sluice.yaml:4: ${NAME} is not a known key")));
}

TEST(Interpolate, MistakesNameTheVariable) {
  struct Case {
    const char* written;
    const char* mistake;
  };
  for (const Case& c : {
           Case{"${UNSET}",
                "sluice.yaml:4: buffer.path uses ${UNSET}, which is not set: set UNSET in the "
                "environment, or write ${UNSET:-default}"},
           Case{"${1A}",
                "sluice.yaml:4: buffer.path has ${1A}, in which 1A is not the name of a variable: "
                "write ${NAME} or ${NAME:-default}, or $$ for a dollar sign"},
           Case{"${}",
                "sluice.yaml:4: buffer.path has ${}, in which nothing is not the name of a "
                "variable: "
                "write ${NAME} or ${NAME:-default}, or $$ for a dollar sign"},
           Case{"${NAME",
                "sluice.yaml:4: buffer.path has ${ without its }: write ${NAME}, or $$ for a "
                "dollar sign"},
       }) {
    EXPECT_THAT(
        mistakes_in(std::string(small_file) + "buffer: {path: '" + c.written + "'}", small_world),
        ElementsAre(c.mistake));
  }
}

TEST(Interpolate, EachUnsetVariableOfAValueIsNamed) {
  EXPECT_THAT(
      mistakes_in(std::string(small_file) + "buffer: {path: '${A}${B}'}"),
      ElementsAre(HasSubstr("${A}, which is not set"), HasSubstr("${B}, which is not set")));
}

TEST(Interpolate, ValueThatIsNotUtf8IsRefusedWithoutQuotingIt) {
  const World broken{.variables = {{"V", "\xFFsecret"}}, .files = {}};
  EXPECT_THAT(mistakes_in(std::string(small_file) + "buffer: {path: '${V}'}", broken),
              ElementsAre(testing::AllOf(HasSubstr("${V}, whose value is not UTF-8"),
                                         testing::Not(HasSubstr("secret")))));
}

}  // namespace
}  // namespace sluice::config

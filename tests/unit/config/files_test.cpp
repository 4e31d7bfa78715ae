// Goal: the right file is found and read, and one that is not there or cannot be read says so.

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <unistd.h>

#include "reading.hpp"

namespace sluice::config {
namespace {

using testing::HasSubstr;

TEST(FindFile, TakesTheFirstThatIsThere) {
  World world;
  world.files["/etc/sluice/sluice.yaml"] = "";
  EXPECT_EQ(find_file("", world.environment()), "/etc/sluice/sluice.yaml");
  world.files["./sluice.yaml"] = "";
  EXPECT_EQ(find_file("", world.environment()), "./sluice.yaml");
  world.variables["SLUICE_CONFIG"] = "/my.yaml";
  EXPECT_EQ(find_file("", world.environment()), "/my.yaml");
  EXPECT_EQ(find_file("asked.yaml", world.environment()), "asked.yaml");
  world.variables["SLUICE_CONFIG"] = "";
  EXPECT_EQ(find_file("", world.environment()), "./sluice.yaml");
}

TEST(FindFile, SaysWhereItLooked) {
  const auto found = find_file("", World{}.environment());
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, std::errc::no_such_file_or_directory);
  for (const char* place :
       {"$SLUICE_CONFIG", "./sluice.yaml", "/etc/sluice/sluice.yaml", "--config"}) {
    EXPECT_THAT(found.error().message, HasSubstr(place));
  }
}

// Passing over a file for its permissions would start the daemon with another configuration.
TEST(FindFile, DoesNotPassOverAFileThatCannotBeRead) {
  Environment environment =
      World{.variables = {}, .files = {{"/etc/sluice/sluice.yaml", ""}}}.environment();
  environment.read_file =
      [inner = environment.read_file](const std::string& path) -> Result<std::string> {
    if (path == "./sluice.yaml") return failure(std::errc::permission_denied, "Permission denied");
    return inner(path);
  };
  EXPECT_EQ(find_file("", environment), "./sluice.yaml");
}

TEST(LoadFile, ReadsAndNamesTheFile) {
  const World world{.variables = {},
                    .files = {{"/a.yaml", std::string(small_file)}, {"/b.yaml", "x: 1"}}};
  const auto config = load("/a.yaml", world.environment());
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->file, "/a.yaml");
  const auto wrong = load("/b.yaml", world.environment());
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().back().file, "/b.yaml");
}

TEST(LoadFile, OneThatIsNotThereIsAMistake) {
  const auto config = load("/gone.yaml", World{}.environment());
  ASSERT_FALSE(config.has_value());
  ASSERT_EQ(config.error().size(), 1U);
  EXPECT_EQ(
      config.error()[0].to_string(),
      "/gone.yaml: the file cannot be read: No such file or directory: check the path and its "
      "permissions");
}

class ProcessEnvironment : public testing::Test {
 protected:
  ProcessEnvironment() { std::filesystem::create_directories(directory_); }
  ~ProcessEnvironment() override { std::filesystem::remove_all(directory_); }

  // Tests run in processes of their own at the same time, so each has its own directory.
  const std::filesystem::path directory_ =
      std::filesystem::temp_directory_path() / ("sluice_config_test_" + std::to_string(getpid()));
};

TEST_F(ProcessEnvironment, ReadsFilesWhole) {
  const std::string path = directory_ / "file";
  const std::string content = std::string(10'000, 'a') + '\0' + "end\n";
  std::ofstream(path, std::ios::binary) << content;
  EXPECT_EQ(process_environment().read_file(path), content);
}

TEST_F(ProcessEnvironment, SaysWhyAFileCannotBeRead) {
  const auto gone = process_environment().read_file(directory_ / "gone");
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(gone.error().code, std::errc::no_such_file_or_directory);
  const auto directory = process_environment().read_file(directory_);
  ASSERT_FALSE(directory.has_value());
  EXPECT_EQ(directory.error().code, std::errc::is_a_directory);
  const auto endless = process_environment().read_file("/dev/zero");
  ASSERT_FALSE(endless.has_value());
  EXPECT_EQ(endless.error().code, std::errc::file_too_large);
}

TEST_F(ProcessEnvironment, HasTheVariablesOfTheProcess) {
  EXPECT_TRUE(process_environment().variable("PATH").has_value());
  EXPECT_EQ(process_environment().variable("SLUICE_SURELY_NOT_SET"), std::nullopt);
}

}  // namespace
}  // namespace sluice::config

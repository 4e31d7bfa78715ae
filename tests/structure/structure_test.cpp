// Goal: the rules of the house that no compiler checks: includes point downwards, and what decides
// does no I/O, reads no clock and starts no thread.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice {
namespace {

namespace fs = std::filesystem;

const fs::path root = SLUICE_SOURCE_DIR;

const std::map<std::string, int, std::less<>> tiers{
    {"base", 0},       {"event", 1}, {"normalise", 1}, {"config", 1},    {"metrics", 1},
    {"queue", 2},      {"batch", 2}, {"deliver", 2},   {"buffer", 2},    {"accept", 2},
    {"tap", 2},        {"net", 3},   {"ingest", 3},    {"transport", 3}, {"admin", 3},
    {"deadletter", 3}, {"store", 3}, {"runtime", 4},   {"cli", 4},       {"simulator", 4}};

struct SourceFile {
  std::string module;
  fs::path path;
  std::string text;
};

std::vector<SourceFile> source_files() {
  std::vector<SourceFile> files;
  for (const fs::path& top : {root / "src", root / "include/sluice"}) {
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
      const fs::path& path = entry.path();
      if (path.extension() != ".hpp" && path.extension() != ".cpp") {
        continue;
      }
      std::ifstream file(path);
      files.push_back({.module = fs::relative(path, top).begin()->string(),
                       .path = fs::relative(path, root),
                       .text = {std::istreambuf_iterator<char>(file), {}}});
    }
  }
  return files;
}

TEST(Structure, EveryModuleHasATier) {
  for (const SourceFile& file : source_files()) {
    EXPECT_TRUE(tiers.contains(file.module)) << file.path;
  }
}

TEST(Structure, IncludesPointDownwards) {
  const std::regex include("#include <sluice/([a-z]+)/");
  std::size_t seen = 0;
  for (const SourceFile& file : source_files()) {
    for (std::sregex_iterator at(file.text.begin(), file.text.end(), include), end; at != end;
         ++at) {
      ++seen;
      EXPECT_LE(tiers.at((*at)[1]), tiers.at(file.module)) << file.path << " includes " << (*at)[1];
    }
  }
  EXPECT_GT(seen, 100);
}

TEST(Structure, WhatDecidesDoesNothingElse) {
  const std::vector<std::string_view> forbidden{
      "boost/asio", "boost/beast", "rocksdb/",  "steady_clock::now", "system_clock::now",
      "<thread>",   "<fstream>",   "<fcntl.h>", "std::cout"};
  // What may: the system's clock and the log behind their seams, the file seam of the
  // configuration.
  const std::vector<std::string_view> allowed{"src/base/clock.cpp", "src/base/log.cpp",
                                              "src/base/log_writer.cpp",
                                              "src/config/process_environment.cpp"};
  for (const SourceFile& file : source_files()) {
    if (tiers.at(file.module) > 2 ||
        std::ranges::find(allowed, file.path.string()) != allowed.end()) {
      continue;
    }
    for (const std::string_view word : forbidden) {
      EXPECT_THAT(file.text, testing::Not(testing::HasSubstr(word))) << file.path;
    }
  }
}

// What tells one kind of write from another is in its row (event/kind.hpp): whoever asks for one by
// name treats all others alike, whichever they are.
TEST(Structure, KindsOfWritesAreToldApartByTheirTableAlone) {
  const std::map<std::string, std::vector<std::string_view>, std::less<>> may_name{
      {"src/event/kind_table.hpp", {"EventKind::", "\"transaction\""}},
      {"src/ingest/routes.cpp", {"EventKind::"}},            // a route says what it takes
      {"src/config/mapping_keys.cpp", {"\"transaction\""}},  // and a section what it has
      {"src/config/tables_file.cpp", {"\"transaction\""}}};
  const std::regex named("EventKind::|\"transaction\"");
  std::size_t seen = 0;
  for (const SourceFile& file : source_files()) {
    const auto allowed = may_name.find(file.path.string());
    for (std::sregex_iterator at(file.text.begin(), file.text.end(), named), end; at != end; ++at) {
      ++seen;
      const bool may = allowed != may_name.end() &&
                       std::ranges::find(allowed->second, at->str()) != allowed->second.end();
      EXPECT_TRUE(may) << file.path << " names " << at->str()
                       << ": what it needs of the kind belongs into event/kind.hpp";
    }
  }
  EXPECT_GE(seen, 3);
}

// What others wrote reaches a terminal through one door, which makes it harmless.
TEST(Structure, EveryCommandWritesThroughItsDoor) {
  // Events as data, and the escapes of `top` itself, which are no one else's words.
  const std::map<std::string, std::size_t, std::less<>> at_most{
      {"src/cli/output.cpp", 2}, {"src/cli/buffer.cpp", 3}, {"src/cli/top.cpp", 3}};
  const std::regex stream("std::(cout|cerr|clog)|[^a-z_](printf|puts|fwrite) *\\(|std::print");
  for (const SourceFile& file : source_files()) {
    if (file.module != "cli" && file.module != "runtime") {
      continue;
    }
    const auto found = static_cast<std::size_t>(std::distance(
        std::sregex_iterator(file.text.begin(), file.text.end(), stream), std::sregex_iterator()));
    const auto allowed = at_most.find(file.path.string());
    EXPECT_LE(found, allowed == at_most.end() ? 0 : allowed->second) << file.path;
  }
}

TEST(Structure, FoldersHaveNoNameThatSaysNothing) {
  for (const auto& entry : fs::recursive_directory_iterator(root / "src")) {
    for (const char* name : {"util", "utils", "helpers", "common", "manager", "misc"}) {
      EXPECT_NE(entry.path().stem(), name) << entry.path();
    }
  }
}

// What a document names as proof must be there.
TEST(Structure, TheTestsThatTheSecurityDocumentNamesExist) {
  std::string tests;
  for (const auto& entry : fs::recursive_directory_iterator(root / "tests")) {
    if (entry.path().extension() == ".cpp" || entry.path().extension() == ".py") {
      std::ifstream file(entry.path());
      tests.append(std::istreambuf_iterator<char>(file), {});
    }
  }
  std::ifstream file(root / "docs/security.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::regex named(
      "`([A-Z][A-Za-z0-9]+)\\.([A-Z][A-Za-z0-9]+|test_[a-z0-9_]+)`|`([a-z]+_fuzz)`");
  std::size_t seen = 0;
  for (std::sregex_iterator at(text.begin(), text.end(), named), end; at != end; ++at, ++seen) {
    if ((*at)[3].matched) {
      EXPECT_TRUE(fs::exists(root / "tests/fuzz" / ((*at)[3].str() + ".cpp"))) << (*at)[3];
    } else {
      const std::string name = (*at)[2].str();
      const std::string declared = name.starts_with("test_")
                                       ? "def " + name + "("
                                       : "(" + (*at)[1].str() + ", " + name + ")";
      EXPECT_NE(tests.find(declared), std::string::npos) << declared;
    }
  }
  EXPECT_GT(seen, 40);
}

}  // namespace
}  // namespace sluice

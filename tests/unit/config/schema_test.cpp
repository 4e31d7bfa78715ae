// Goal: the JSON Schema, the documented example and the reader know the same keys, and the files
// that are shipped are valid.

#include <map>
#include <regex>
#include <set>

#include <gmock/gmock.h>
#include <yaml-cpp/yaml.h>

#include <sluice/config/schema.hpp>

#include "keys.hpp"
#include "reading.hpp"

namespace sluice::config {
namespace {

using KeySets = std::map<std::string, std::set<std::string>>;

std::string shipped(const std::string& name) {
  const auto text = process_environment().read_file(std::string(SLUICE_CONFIG_DIR "/") + name);
  EXPECT_TRUE(text.has_value()) << name;
  return text.value_or("");
}

void collect_references(const YAML::Node& node, std::set<std::string>& names) {
  const std::string prefix = "#/$defs/";
  if (node.IsMap()) {
    for (const auto& member : node) {
      if (member.first.Scalar() == "$ref")
        names.insert(member.second.Scalar().substr(prefix.size()));
      collect_references(member.second, names);
    }
  }
  if (node.IsSequence()) {
    for (const auto& item : node) collect_references(item, names);
  }
}

TEST(Schema, KnowsTheKeysOfTheReaderAndNoOthers) {
  KeySets of_reader;
  for (const Keys& keys : all_keys()) {
    of_reader[std::string(keys.section)].insert(keys.names.begin(), keys.names.end());
  }
  KeySets of_schema;
  const YAML::Node schema = YAML::Load(shipped("sluice.schema.json"));
  for (const auto& definition : schema["$defs"]) {
    const YAML::Node properties = definition.second["properties"];
    if (!properties) continue;
    EXPECT_EQ(definition.second["additionalProperties"].as<std::string>(), "false")
        << definition.first.Scalar();
    for (const auto& property : properties) {
      of_schema[definition.first.Scalar()].insert(property.first.Scalar());
    }
  }
  EXPECT_EQ(of_schema, of_reader);
}

TEST(Schema, IsThatOfTheTables) {
  EXPECT_EQ(shipped("sluice.schema.json"), json_schema())
      << "run: sluice schema > config/sluice.schema.json";
}

TEST(Schema, DefinesAndUsesTheSameNames) {
  const YAML::Node schema = YAML::Load(shipped("sluice.schema.json"));
  std::set<std::string> defined;
  for (const auto& definition : schema["$defs"]) defined.insert(definition.first.Scalar());
  std::set<std::string> used;
  collect_references(schema, used);
  EXPECT_EQ(used, defined);
  EXPECT_EQ(schema["$schema"].Scalar(), "https://json-schema.org/draft/2020-12/schema");
}

TEST(Example, MentionsEveryKey) {
  const std::string example = shipped("sluice.example.yaml");
  for (const Keys& keys : all_keys()) {
    for (const std::string_view key : keys.names) {
      EXPECT_THAT(example, testing::ContainsRegex("[^a-zA-Z_]" + std::string(key) + "[^a-zA-Z_]"))
          << keys.section;
    }
  }
}

// Its settings are the defaults, so that the example cannot tell another story than the code.
TEST(Example, ShowsTheDefaults) {
  const Config config = config_of(shipped("sluice.example.yaml"));
  const Config defaults;
  EXPECT_EQ(config.ingest, defaults.ingest);
  EXPECT_EQ(config.admin, defaults.admin);
  EXPECT_EQ(config.buffer, defaults.buffer);
  EXPECT_EQ(config.batch, defaults.batch);
  EXPECT_EQ(config.delivery, defaults.delivery);
  EXPECT_EQ(config.passthrough, defaults.passthrough);
  EXPECT_EQ(config.dedup, defaults.dedup);
  EXPECT_EQ(config.dead_letter, defaults.dead_letter);
  EXPECT_EQ(config.drain_timeout, defaults.drain_timeout);
  EXPECT_EQ(config.log, defaults.log);
  ASSERT_EQ(config.workspaces.size(), 1U);
  Workspace expected;
  expected.name = "default";
  expected.auth = config.workspaces[0].auth;
  EXPECT_EQ(config.workspaces[0], expected);
}

TEST(Example, IsValidWithItsCommentedSectionsToo) {
  std::string text = shipped("sluice.example.yaml");
  text = std::regex_replace(
      text,
      std::regex(
          "\n( *)# (tls:|ca_file:|  (cert|key|client_ca|ocsp_response)_file: /|  client_auth:)"),
      "\n$1$2");
  text = std::regex_replace(text, std::regex("(sources|producers): \\[\\]"), "$1:");
  text = std::regex_replace(text, std::regex("\n( *)#(   +[^ {])"), "\n$1 $2");
  World world;
  for (const char* path :
       {"/etc/sluice/tls/server.crt", "/etc/sluice/tls/server.key", "/etc/sluice/tls/clients.crt",
        "/etc/sluice/tls/server.ocsp", "/etc/sluice/tls/upstream.crt", "/run/secrets/checkout",
        "/run/secrets/warehouse-new", "/run/secrets/warehouse-old"}) {
    world.files[path] = path;
  }
  const Config config = config_of(text, world);
  EXPECT_TRUE(config.ingest.tls.has_value());
  ASSERT_EQ(config.ingest.producers.size(), 2U);
  EXPECT_EQ(config.ingest.producers[0].max_body_bytes, 4U << 20);
  ASSERT_EQ(config.sources.size(), 1U);
  EXPECT_EQ(config.sources[0]->rules.size(), 4U);
}

TEST(Demo, RunsWithoutAnyVariableAndWithThem) {
  const std::string demo = shipped("demo.yaml");
  const Config plain = config_of(demo);
  EXPECT_EQ(plain.buffer.path, "./demo-data/buffer");
  EXPECT_EQ(plain.sources.size(), 1U);
  const World world{.variables = {{"SLUICE_DEMO_DIR", "/tmp/x"},
                                  {"SLUICE_DEMO_LISTEN", "127.0.0.1:0"},
                                  {"SLUICE_DEMO_ADMIN", "127.0.0.1:0"},
                                  {"SLUICE_DEMO_BUFFER", "memory"},
                                  {"SLUICE_DEMO_UPSTREAM", "http://127.0.0.1:1"}},
                    .files = {}};
  const Config moved = config_of(demo, world);
  EXPECT_EQ(moved.buffer.path, "/tmp/x/buffer");
  EXPECT_EQ(moved.buffer.type, BufferType::memory);
  EXPECT_EQ(moved.workspaces.at(0).base_url, "http://127.0.0.1:1");
}

}  // namespace
}  // namespace sluice::config

// Goal: a key is one row, and the row is enough: what is read by it is printed, compared and taken
// over by it, and it says what it means. A key that is read by hand is in the list here.

#include <optional>
#include <set>
#include <type_traits>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <yaml-cpp/yaml.h>

#include "kinds.hpp"
#include "reading.hpp"
#include "tables.hpp"

namespace sluice::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// They look at more than their own value: at other keys, or at all sections of a list.
const std::set<std::string> read_by_hand{"file.ingest",
                                         "file.limits",
                                         "file.admin",
                                         "file.workspaces",
                                         "file.buffer",
                                         "file.batch",
                                         "file.delivery",
                                         "file.passthrough",
                                         "file.dedup",
                                         "file.dead_letter",
                                         "file.sources",
                                         "file.log",
                                         "ingest.tls",
                                         "ingest.producers",
                                         "producer.name",
                                         "producer.keys",
                                         "producer.workspace",
                                         "producer.certificates",
                                         "producer.max_body_bytes",
                                         "workspace.name",
                                         "workspace.base_url",
                                         "workspace.auth",
                                         "auth.method",
                                         "auth.workspace_guid",
                                         "delivery.backoff",
                                         "source.name",
                                         "source.workspace"};

template <class Visit>
void for_each_table(Visit visit) {
  [&]<class... S>(std::type_identity<std::tuple<S...>>) {
    (visit(table<S>()), ...);
  }(std::type_identity<Tables>());
}

// Values that a key of this kind could have.
std::vector<std::string> candidates(const KeyInfo& key) {
  if (!key.range.empty()) {
    const auto to = key.range.find(" to ");
    return {key.range.substr(0, to), key.range.substr(to + 4)};
  }
  if (key.schema == defined("boolean")) return {"true", "false"};
  if (key.schema == defined("path")) return {"/other"};
  if (key.schema == defined("secret")) return {"0123456789abcdef0123456789abcdef"};
  if (key.schema.find(defined("address")) != std::string::npos) return {"127.0.0.1:1"};
  if (key.name == "time_zone") return {"Europe/Warsaw"};
  if (key.name == "routes") return {"[passthrough]"};
  std::vector<std::string> words;
  const YAML::Node choices = YAML::Load("{" + key.schema + "}")["anyOf"];
  if (choices && choices[0]["enum"]) {
    for (const auto& word : choices[0]["enum"]) words.push_back(word.Scalar());
  }
  return words.empty() ? std::vector<std::string>{"[other]"} : words;
}

const World keys_world{.variables = {}, .files = {{"/other", "content"}}};

// A section with this text, as the row reads it.
template <class S>
S read_by(const Key<S>& key, const std::string& text) {
  const std::string file = "sluice.yaml";
  const Environment environment = keys_world.environment();
  Reading reading{.file = file, .environment = environment, .mistakes = {}};
  S made{};
  key.read(Section(Place(YAML::Load(text), 1, "", reading), table<S>().section), made);
  EXPECT_THAT(reading.mistakes, IsEmpty()) << text << reading.mistakes.at(0).to_string();
  return made;
}

// A section with another value of this key than the default.
template <class S>
std::optional<S> changed_by(const Key<S>& key) {
  for (const std::string& candidate : candidates(key.info)) {
    S made = read_by(key, fmt::format("{}: {}", key.info.name, candidate));
    if (!key.is_default(made, S{})) return made;
  }
  return std::nullopt;
}

TEST(Keys, SayWhatTheyMean) {
  for (const Keys& keys : all_keys()) {
    for (const KeyInfo& key : keys.infos) {
      EXPECT_FALSE(key.schema.empty()) << keys.section << '.' << key.name;
      EXPECT_FALSE(key.meaning.empty()) << keys.section << '.' << key.name;
      EXPECT_TRUE(YAML::Load("{" + key.schema + "}").IsMap()) << keys.section << '.' << key.name;
    }
  }
}

TEST(Keys, AreReadByTheirRowsButForThoseWhoLookAtOthers) {
  std::set<std::string> without_reader;
  for_each_table([&](const auto& rows) {
    for (const auto& key : rows.keys) {
      if (!key.read && key.reconcile) {
        without_reader.insert(fmt::format("{}.{}", rows.section, key.info.name));
      }
    }
  });
  EXPECT_EQ(without_reader, read_by_hand);
}

TEST(Keys, AnotherValueIsADifferenceThatAReloadTakesOrLeaves) {
  std::size_t seen = 0;
  for_each_table([&]<class S>(const Table<S>& rows) {
    if constexpr (std::is_copy_constructible_v<S>) {
      for (const Key<S>& key : rows.keys) {
        if (!key.read) continue;
        const std::optional<S> wanted = changed_by(key);
        ASSERT_TRUE(wanted.has_value()) << rows.section << '.' << key.info.name;
        for (const bool takes : {true, false}) {
          S running{};
          std::vector<std::string> asked;
          key.reconcile(
              [&](const std::string& path, OnReload on_reload) {
                EXPECT_EQ(on_reload, key.info.on_reload);
                asked.push_back(path);
                return takes;
              },
              "path", key.info.on_reload, running, *wanted);
          EXPECT_THAT(asked, ElementsAre("path")) << rows.section << '.' << key.info.name;
          EXPECT_EQ(key.is_default(running, *wanted), takes) << rows.section << key.info.name;
          EXPECT_EQ(key.is_default(running, S{}), !takes) << rows.section << key.info.name;
          ++seen;
        }
      }
    }
  });
  EXPECT_GT(seen, 100);
}

TEST(Keys, WhatIsPrintedReadsBackAsTheSame) {
  for_each_table([&]<class S>(const Table<S>& rows) {
    for (const Key<S>& key : rows.keys) {
      if (!key.read || key.info.schema == defined("secret")) continue;
      if constexpr (std::is_copy_constructible_v<S>) {
        const std::optional<S> made = changed_by(key);
        ASSERT_TRUE(made.has_value()) << rows.section << '.' << key.info.name;
        Writer out;
        out.map([&] { key.write(out, *made); });
        EXPECT_TRUE(key.is_default(read_by(key, out.str()), *made)) << out.str();
      }
    }
  });
}

// What a section takes or leaves as a whole goes by the members: each must be a part of what
// compares.
TEST(Keys, NothingDiffersFromItself) {
  const Config config = config_of(std::string(small_file));
  Config running = config;
  reconcile(running, config, [](const std::string& key, OnReload) {
    ADD_FAILURE() << key;
    return true;
  });
}

TEST(Keys, ASectionThatIsTakenAsAWholeIsAskedForOnce) {
  const Config before = config_of(std::string(small_file));
  const Config after = config_of(std::string(small_file) +
                                 "ingest: {threads: 3, max_connections: 7}\n"
                                 "limits: {max_event_keys: 16, max_string_bytes: 256}\n"
                                 "delivery: {lanes: 3, backoff: {initial: 1s}}\n");
  Config running = before;
  std::vector<std::string> asked;
  reconcile(running, after, [&](const std::string& key, OnReload on_reload) {
    asked.push_back(key);
    return on_reload != OnReload::restart;
  });
  EXPECT_THAT(asked, ElementsAre("ingest.threads", "ingest.max_connections", "limits", "delivery"));
  EXPECT_EQ(running.ingest.threads, before.ingest.threads);
  EXPECT_EQ(running.ingest.max_connections, 7U);
  EXPECT_EQ(running.ingest.limits, after.ingest.limits);
  EXPECT_EQ(running.delivery, before.delivery);
}

}  // namespace
}  // namespace sluice::config

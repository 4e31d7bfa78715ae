// Goal: a reload takes over what a running gateway can change, leaves the rest as it runs, and
// names both as the file does.
#include "reload.hpp"

#include <gmock/gmock.h>

#include <sluice/config/load.hpp>

namespace sluice::runtime {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* jwt_auth = "{method: jwt, api_key: k}";

config::Config config_of(const std::string& more, const std::string& shop_auth = jwt_auth,
                         const std::string& shop_more = "") {
  const std::string text = "workspaces:\n  - name: shop\n    auth: " + shop_auth + "\n" +
                           shop_more + "  - {name: web, auth: " + jwt_auth + "}\n" + more;
  const config::Environment environment{
      .variable = [](const std::string&) { return std::nullopt; },
      .read_file = [](const std::string& path) -> Result<std::string> { return path; }};
  auto config = config::parse(text, "sluice.yaml", environment);
  EXPECT_TRUE(config) << config.error().at(0).to_string();
  return std::move(config).value_or(config::Config{});
}

TEST(Reload, WithoutAChangeDoesNothing) {
  const ReloadPlan plan = plan_reload(config_of(""), config_of(""));
  EXPECT_THAT(plan.taken_over, IsEmpty());
  EXPECT_THAT(plan.needs_restart, IsEmpty());
}

TEST(Reload, NamesWhatItTakesOverAndWhatNeedsARestart) {
  const config::Config wanted = config_of(R"(
ingest: {threads: 3, max_body_bytes: 1MiB, token_key: 0123456789abcdef0123456789abcdef}
limits: {max_event_keys: 16}
admin: {listen: "127.0.0.1:1", token: t, hosts: [a.test]}
buffer: {type: memory, max_events: 7}
batch: {linger: 1s}
delivery: {backoff: {initial: 1s}}
passthrough: {timeout: 1s}
dedup: {window: 1s}
dead_letter: {path: /dead}
drain_timeout: 1s
log: {level: warn}
)");
  const config::Config running = config_of("");
  const ReloadPlan plan = plan_reload(running, wanted);
  EXPECT_THAT(plan.taken_over,
              ElementsAre("ingest.max_body_bytes", "limits", "admin.token", "admin.hosts",
                          "buffer.max_events", "passthrough", "drain_timeout", "log"));
  EXPECT_THAT(plan.needs_restart,
              ElementsAre("ingest.threads", "ingest.token_key", "admin.listen", "buffer.type",
                          "batch", "delivery", "dedup", "dead_letter"));
  EXPECT_EQ(plan.next.ingest.max_body_bytes, 1U << 20);
  EXPECT_EQ(plan.next.ingest.threads, running.ingest.threads);
  EXPECT_EQ(plan.next.buffer.max_events, 7U);
  EXPECT_EQ(plan.next.buffer.type, running.buffer.type);
  EXPECT_EQ(plan.next.log, wanted.log);
  EXPECT_EQ(plan.next.delivery, running.delivery);
}

TEST(Reload, TakesAPermissionOverWithoutAWord) {
  const ReloadPlan plan = plan_reload(
      config_of(""),
      config_of("ingest: {allow_anonymous: true}\n", jwt_auth, "    allow_plaintext: true\n"));
  EXPECT_THAT(plan.taken_over, IsEmpty());
  EXPECT_THAT(plan.needs_restart, IsEmpty());
  EXPECT_TRUE(plan.next.ingest.allow_anonymous);
  EXPECT_TRUE(plan.next.workspaces.at(0).allow_plaintext);
}

TEST(Reload, NamesTheKeysOfAWorkspaceBehindItsName) {
  const ReloadPlan plan =
      plan_reload(config_of(""), config_of("", "{method: jwt, api_key: other}",
                                           "    time_zone: Europe/Warsaw\n    ca_file: /ca\n"));
  EXPECT_THAT(plan.taken_over,
              ElementsAre("workspace shop: auth.api_key", "workspace shop: time_zone"));
  EXPECT_THAT(plan.needs_restart, ElementsAre("workspace shop: ca_file"));
  EXPECT_EQ(plan.next.workspaces.at(0).auth.api_key.value, "other");
  EXPECT_EQ(plan.next.workspaces.at(1), config_of("").workspaces.at(1));
}

TEST(Reload, TheKeyOfAnotherAccountWaitsForTheRestart) {
  const config::Config running = config_of("");
  const ReloadPlan plan = plan_reload(
      running, config_of("",
                         "{method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, "
                         "api_key: other}"));
  EXPECT_THAT(plan.taken_over, IsEmpty());
  EXPECT_THAT(plan.needs_restart,
              ElementsAre("workspace shop: auth.method", "workspace shop: auth.workspace_guid"));
  EXPECT_EQ(plan.next.workspaces.at(0), running.workspaces.at(0));
}

TEST(Reload, AnotherUrlIsAnotherAccount) {
  const ReloadPlan plan = plan_reload(config_of(""), config_of("", "{method: jwt, api_key: other}",
                                                               "    base_url: https://a.test\n"));
  EXPECT_THAT(plan.taken_over, IsEmpty());
  EXPECT_THAT(plan.needs_restart, ElementsAre("workspace shop: base_url"));
}

TEST(Reload, WorkspacesAreComparedByTheirNames) {
  config::Config wanted = config_of("", jwt_auth, "    passthrough: true\n");
  std::swap(wanted.workspaces.at(0), wanted.workspaces.at(1));
  const ReloadPlan plan = plan_reload(config_of(""), wanted);
  EXPECT_THAT(plan.taken_over, ElementsAre("workspace shop: passthrough"));
  EXPECT_THAT(plan.needs_restart, ElementsAre("workspaces (added, removed or in another order)"));
  EXPECT_EQ(plan.next.workspaces.at(0).name, "shop");
}

TEST(Reload, WhatGoesToAWorkspaceThatDoesNotRunYetNeedsARestart) {
  const std::string more = R"(  - {name: new, auth: {method: jwt, api_key: k}}
ingest: {producers: [{name: a, key: a, workspace: new}]}
sources:
  - {name: raw, workspace: new, event: {action: x.y, label: z, client: {customId: {from: /who}}}}
)";
  const ReloadPlan plan = plan_reload(config_of(""), config_of(more));
  EXPECT_THAT(plan.taken_over, IsEmpty());
  EXPECT_THAT(plan.needs_restart,
              ElementsAre("ingest.producers (of a workspace that does not run yet)",
                          "workspaces (added, removed or in another order)",
                          "sources (of a workspace that does not run yet)"));
  EXPECT_THAT(plan.next.ingest.producers, IsEmpty());
  EXPECT_THAT(plan.next.sources, IsEmpty());
}

TEST(Reload, SourcesAreTheSameWhenTheyAreWrittenSo) {
  const std::string sources = R"(
sources:
  - {name: raw, workspace: shop, event: {action: x.y, label: z, client: {customId: {from: /who}}}}
)";
  EXPECT_THAT(plan_reload(config_of(sources), config_of(sources)).taken_over, IsEmpty());
  const ReloadPlan plan = plan_reload(config_of(""), config_of(sources));
  EXPECT_THAT(plan.taken_over, ElementsAre("sources"));
  EXPECT_EQ(plan.next.sources.size(), 1U);
}

TEST(Reload, TlsOnOrOffNeedsARestartAndOtherFilesDoNot) {
  const auto with = [](const std::string& cert) {
    return config_of("ingest: {tls: {cert_file: " + cert + ", key_file: /key}}\n");
  };
  EXPECT_THAT(plan_reload(config_of(""), with("/a")).needs_restart, ElementsAre("ingest.tls"));
  EXPECT_THAT(plan_reload(with("/a"), config_of("")).needs_restart, ElementsAre("ingest.tls"));
  const ReloadPlan plan = plan_reload(with("/a"), with("/b"));
  EXPECT_THAT(plan.taken_over, ElementsAre("ingest.tls"));
  EXPECT_EQ(plan.next.ingest.tls.value_or(config::ServerTls{}).cert_file, "/b");
}

}  // namespace
}  // namespace sluice::runtime

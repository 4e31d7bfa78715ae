// Goal: a correct file gives exactly the configuration that it describes: the design's own example
// with each of its values, and an almost empty file with safe defaults.

#include <chrono>

#include <gmock/gmock.h>

#include "reading.hpp"

namespace sluice::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* design_example = R"(
ingest:
  listen: 127.0.0.1:8080
  threads: 0
  max_body_bytes: 8MiB
  max_event_bytes: 128KiB
  on_invalid: reject_request
  future_tolerance: 30s
  tls: {cert_file: /tls/crt, key_file: /tls/key, client_ca_file: /tls/ca}
  producers:
    - {name: checkout, key_file: /run/secrets/checkout, rate_limit: 5000/s, workspace: default}
admin: {listen: 127.0.0.1:9091}
workspaces:
  - name: default
    base_url: https://api.azu.synerise.com
    auth: {method: basic, workspace_guid: 01234567-89ab-CDEF-0123-456789abcdef, api_key_file: /run/secrets/key}
    validation: strict
    time_zone: Europe/Warsaw
    partial_status: 207
    generated_salts: false
    actions: [order.line]
    passthrough: true
buffer: {type: memory, path: /data, max_bytes: 4GiB, max_events: 7}
batch: {max_events: 500, max_bytes: 900000, linger: 50ms}
delivery:
  lanes: 8
  max_in_flight: 4
  timeout: 20s
  backoff: {initial: 100ms, max: 30s}
dedup: {window: 5m, max_entries: 1000}
dead_letter: {path: /dead, max_bytes: 2GiB}
passthrough: {max_in_flight: 5, max_body_bytes: 2MiB, timeout: 3s, idle_timeout: 4s}
drain_timeout: 15s
)";

const World design_world{.variables = {},
                         .files = {{"/tls/crt", "certificate"},
                                   {"/tls/key", "private"},
                                   {"/tls/ca", "authority"},
                                   {"/run/secrets/checkout", "checkout-key\n"},
                                   {"/run/secrets/key", "api-key\r\n\n"}}};

TEST(Load, DesignExampleIngest) {
  const Config config = config_of(design_example, design_world);
  EXPECT_EQ(config.file, "sluice.yaml");
  Ingest expected;
  expected.max_body_bytes = 8U << 20;
  expected.max_event_bytes = 128U << 10;
  expected.on_invalid = OnInvalid::reject_request;
  expected.future_tolerance = 30s;
  expected.tls = ServerTls{"/tls/crt", "/tls/key", "/tls/ca"};
  expected.producers = {{.name = "checkout",
                         .keys = {{"checkout-key", "/run/secrets/checkout"}},
                         .rate_limit_per_second = 5'000,
                         .workspace = "default"}};
  EXPECT_EQ(config.ingest, expected);
  EXPECT_EQ(config.admin,
            (Admin{.listen = TcpAddress{"127.0.0.1", 9091}, .token = {}, .hosts = {}}));
}

TEST(Load, DesignExampleDelivery) {
  const Config config = config_of(design_example, design_world);
  const Workspace workspace{.name = "default",
                            .base_url = "https://api.azu.synerise.com",
                            .ca_file = "",
                            .allow_plaintext = false,
                            .auth = {.method = AuthMethod::basic,
                                     .workspace_guid = "01234567-89ab-CDEF-0123-456789abcdef",
                                     .api_key = {"api-key", "/run/secrets/key"}},
                            .validation = Validation::strict,
                            .time_zone = "Europe/Warsaw",
                            .partial_status = 207,
                            .generated_salts = false,
                            .actions = {"order.line"},
                            .passthrough = true};
  EXPECT_THAT(config.workspaces, ElementsAre(workspace));
  EXPECT_EQ(config.buffer, (Buffer{.type = BufferType::memory,
                                   .path = "/data",
                                   .max_bytes = std::size_t{4} << 30,
                                   .max_bytes_given = true,
                                   .max_events = 7}));
  EXPECT_EQ(config.batch, (Batch{.max_events = 500, .max_bytes = 900'000, .linger = 50ms}));
  EXPECT_EQ(config.delivery, (Delivery{.lanes = 8,
                                       .max_in_flight = 4,
                                       .timeout = 20s,
                                       .backoff = {.initial = 100ms, .max = 30s}}));
  EXPECT_EQ(config.passthrough, (Passthrough{.max_in_flight = 5,
                                             .max_body_bytes = std::size_t{2} << 20,
                                             .timeout = 3s,
                                             .idle_timeout = 4s}));
  EXPECT_EQ(config.dedup, (Dedup{.window = 5min, .max_entries = 1'000}));
  EXPECT_EQ(config.dead_letter, (DeadLetter{.path = "/dead", .max_bytes = std::size_t{2} << 30}));
  EXPECT_EQ(config.drain_timeout, 15s);
}

TEST(Load, KeysThatTheDesignExampleLeavesOut) {
  const World world{.variables = {}, .files = {{"/ca", "authority"}, {"/crt", "c"}, {"/key", "k"}}};
  const Config config = config_of(R"(
workspaces:
  - {name: a, base_url: "http://10.0.0.7:8000/", ca_file: /ca, allow_plaintext: true,
     auth: {method: jwt, api_key: k}}
ingest: {threads: 3, max_header_bytes: 32KiB, max_connections: 10, header_timeout: 1s,
         body_timeout: 2s, idle_timeout: 3s, write_timeout: 4s, allow_anonymous: true,
         tls: {cert_file: /crt, key_file: /key, client_ca_file: /ca, client_auth: optional},
         producers: [{name: pos, certificates: [pos.test, "spiffe://shop/pos"], max_body_bytes: 8MiB,
                      routes: [/v4/transactions], sources: [s]}]}
limits: {max_connections_per_peer: 5, max_requests_per_connection: 6, max_event_keys: 70,
         max_string_bytes: 8KiB, max_decompression_ratio: 90}
buffer: {high_watermark: 0.9, low_watermark: 0.5}
delivery: {connect_timeout: 1s}
log: {level: warn, format: human}
)",
                                  world);
  Ingest ingest;
  ingest.threads = 3;
  ingest.max_header_bytes = 32U << 10;
  ingest.max_connections = 10;
  ingest.header_timeout = 1s;
  ingest.body_timeout = 2s;
  ingest.idle_timeout = 3s;
  ingest.write_timeout = 4s;
  ingest.allow_anonymous = true;
  ingest.limits = {.max_connections_per_peer = 5,
                   .max_requests_per_connection = 6,
                   .max_event_keys = 70,
                   .max_string_bytes = 8U << 10,
                   .max_decompression_ratio = 90};
  ingest.tls = ServerTls{"/crt", "/key", "/ca", ClientAuth::optional};
  ingest.producers = {{.name = "pos",
                       .keys = {},
                       .workspace = "a",
                       .routes = {"/v4/transactions"},
                       .sources = {"s"},
                       .certificates = {"pos.test", "spiffe://shop/pos"},
                       .max_body_bytes = 8U << 20}};
  EXPECT_EQ(config.ingest, ingest);
  ASSERT_EQ(config.workspaces.size(), 1U);
  EXPECT_EQ(config.workspaces[0].base_url, "http://10.0.0.7:8000");
  EXPECT_EQ(config.workspaces[0].ca_file, "/ca");
  EXPECT_TRUE(config.workspaces[0].allow_plaintext);
  EXPECT_EQ(config.buffer, (Buffer{.high_watermark = 0.9, .low_watermark = 0.5}));
  EXPECT_EQ(config.delivery, (Delivery{.connect_timeout = 1s, .backoff = {}}));
  EXPECT_EQ(config.log, (Log{.level = log::Level::warn, .format = log::Format::human}));
}

TEST(Load, OneWorkspaceWithAuthIsEnough) {
  const Config config = config_of("workspaces: [{auth: {method: jwt, api_key: k}}]");
  const Config defaults;
  EXPECT_EQ(config.ingest, defaults.ingest);
  EXPECT_EQ(config.admin, defaults.admin);
  EXPECT_EQ(config.buffer, defaults.buffer);
  EXPECT_EQ(config.batch, defaults.batch);
  EXPECT_EQ(config.delivery, defaults.delivery);
  EXPECT_EQ(config.dedup, defaults.dedup);
  EXPECT_EQ(config.dead_letter, defaults.dead_letter);
  EXPECT_EQ(config.drain_timeout, defaults.drain_timeout);
  EXPECT_EQ(config.log, defaults.log);
  EXPECT_THAT(config.sources, IsEmpty());
  EXPECT_THAT(config.workspaces,
              ElementsAre(Workspace{
                  .name = "default",
                  .ca_file = "",
                  .auth = {.method = AuthMethod::jwt, .workspace_guid = "", .api_key = {"k", ""}},
                  .actions = {}}));
}

// Whoever comments out all keys of a section leaves a null.
TEST(Load, EmptySectionsMeanTheirDefaults) {
  const Config config = config_of(std::string(small_file) +
                                  "ingest:\nbatch:\nsources:\ndelivery:\n  backoff:\nlog: ~\n");
  EXPECT_EQ(config.batch, Batch{});
  EXPECT_EQ(config.delivery, Delivery{});
}

TEST(Load, ListenAddresses) {
  const Config config = config_of(std::string(small_file) + R"(
ingest:
  listen: ["[::1]:8080", "127.0.0.2:0", "127.0.0.2:0", "localhost:1", "unix:/run/a b.sock"]
admin: {listen: "unix:/run/admin.sock", hosts: [sluice.example.com, other]}
)");
  EXPECT_THAT(
      config.ingest.listen,
      ElementsAre(TcpAddress{"::1", 8080}, TcpAddress{"127.0.0.2", 0}, TcpAddress{"127.0.0.2", 0},
                  TcpAddress{"localhost", 1}, UnixAddress{"/run/a b.sock"}));
  EXPECT_EQ(config.admin.listen, ListenAddress(UnixAddress{"/run/admin.sock"}));
  EXPECT_THAT(config.admin.hosts, ElementsAre("sluice.example.com", "other"));
}

TEST(Load, ProducerKeysInEachOfTheirForms) {
  const World world{.variables = {{"KEY", "from-variable"}}, .files = {{"/f", "from-file\n"}}};
  const Config config = config_of(std::string(small_file) + R"(
ingest:
  producers:
    - {name: a, key: "${KEY}"}
    - {name: b, key_file: /f, rate_limit: 90/m}
    - {name: c, keys: [{key: new}, {key: old}]}
)",
                                  world);
  const auto& producers = config.ingest.producers;
  ASSERT_EQ(producers.size(), 3U);
  EXPECT_THAT(producers[0].keys, ElementsAre(Secret{"from-variable", ""}));
  EXPECT_EQ(producers[0].rate_limit_per_second, 0);
  EXPECT_EQ(producers[0].workspace, "default");
  EXPECT_THAT(producers[1].keys, ElementsAre(Secret{"from-file", "/f"}));
  EXPECT_EQ(producers[1].rate_limit_per_second, 1.5);
  EXPECT_THAT(producers[2].keys, ElementsAre(Secret{"new", ""}, Secret{"old", ""}));
}

TEST(Load, AnonymousIsForThisMachineUnlessAllowed) {
  const std::string start = std::string(small_file) + "ingest: {listen: ";
  for (const char* local : {"127.8.8.8:1", "\"[::1]:1\"", "localhost:1", "unix:/s"}) {
    EXPECT_THAT(mistakes_in(start + local + "}"), IsEmpty()) << local;
  }
  EXPECT_THAT(mistakes_in(start + "0.0.0.0:1, allow_anonymous: true}"), IsEmpty());
  EXPECT_THAT(mistakes_in(start + "0.0.0.0:1, producers: [{name: p, key: k}]}"), IsEmpty());
  for (const char* open :
       {"0.0.0.0:1", "\"[::]:1\"", "192.168.0.1:1", "[\"unix:/s\", \"10.0.0.1:1\"]"}) {
    EXPECT_EQ(mistakes_in(start + open + "}").size(), 1U) << open;
  }
}

TEST(Load, PlainHttpIsForLoopback) {
  const auto with_url = [](const std::string& url) {
    return mistakes_in("workspaces: [{base_url: \"" + url +
                       "\", auth: {method: jwt, api_key: k}}]");
  };
  for (const char* fine : {"http://127.0.0.1:1", "http://localhost", "http://[::1]:80",
                           "https://api.synerise.com/", "https://10.0.0.1"}) {
    EXPECT_THAT(with_url(fine), IsEmpty()) << fine;
  }
  for (const char* wrong :
       {"http://api.synerise.com", "ftp://a", "https://", "https://a/path", "https://a?q",
        "https://user:secret@a", "https://a:0", "https://a:x", "https://a:70000", "https://1.2.3",
        "https://[::1", "https://a b", "a.b", "https://a//"}) {
    const auto mistakes = with_url(wrong);
    EXPECT_EQ(mistakes.size(), 1U) << wrong;
    EXPECT_THAT(mistakes, testing::Each(testing::Not(testing::HasSubstr("secret")))) << wrong;
  }
}

TEST(Load, AnchorsMayBeReused) {
  const Config config =
      config_of(std::string(small_file) + "ingest: {header_timeout: &t 3s, body_timeout: *t}\n");
  EXPECT_EQ(config.ingest.body_timeout, 3s);
}

}  // namespace
}  // namespace sluice::config

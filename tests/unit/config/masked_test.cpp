// Goal: the effective configuration is printed whole, reads back as the same, and never shows a
// secret.

#include <utility>

#include <gmock/gmock.h>

#include "reading.hpp"

namespace sluice::config {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* full = R"(ingest:
  listen:
    - "127.0.0.1:8081"
    - "[::1]:8081"
    - "unix:/run/$$ingest.sock"
  threads: 3
  max_body_bytes: 8MiB
  max_event_bytes: 128KiB
  max_header_bytes: 8KiB
  max_connections: 10
  header_timeout: 1s
  body_timeout: 2s
  idle_timeout: 3s
  write_timeout: 4s
  on_invalid: reject_request
  future_tolerance: 1m
  tls:
    cert_file: "/tls/crt"
    key_file: "/tls/key"
    client_ca_file: "/tls/ca"
    client_auth: optional
    ocsp_response_file: "/tls/ocsp"
  producers:
    - name: "checkout"
      keys:
        - key: "********"
        - key_file: "/key"
      rate_limit: 1.5/s
      workspace: "b"
    - name: "pos"
      rate_limit: 0
      max_body_bytes: 64KiB
      workspace: "a"
      certificates:
        - "pos.test"
        - "spiffe://shop/pos"
  allow_anonymous: true
limits:
  max_connections_per_peer: 5
  max_requests_per_connection: 6
  max_event_keys: 70
  max_string_bytes: 8KiB
  max_decompression_ratio: 0
admin:
  listen: "127.0.0.1:9091"
  token: "********"
  hosts:
    - "sluice.example.com"
workspaces:
  - name: "a"
    base_url: "http://10.0.0.1:81"
    ca_file: "/tls/ca"
    allow_plaintext: true
    auth:
      method: basic
      workspace_guid: "01234567-89ab-cdef-0123-456789abcdef"
      api_key: "********"
    validation: strict
    time_zone: "Europe/Warsaw"
    partial_status: 207
    generated_salts: false
    actions:
      - "order.line"
      - "1"
    passthrough: true
  - name: "b"
    base_url: "https://api.synerise.com"
    allow_plaintext: false
    auth:
      method: jwt
      api_key_file: "/key"
    validation: api
    time_zone: "UTC"
    partial_status: 202
    generated_salts: true
    actions:
      []
    passthrough: false
buffer:
  type: memory
  path: "/data \"x\""
  sync: interval
  sync_interval: 50ms
  max_bytes: 4GiB
  max_events: 7
  high_watermark: 0.9
  low_watermark: 0.5
  producer_share: 0.5
  drain_timeout: 3s
batch:
  max_events: 500
  max_bytes: 900kB
  linger: 50ms
delivery:
  lanes: 8
  max_in_flight: 4
  timeout: 20s
  connect_timeout: 6s
  accept_statuses:
    - 202
    - 204
  backoff:
    initial: 100ms
    max: 30s
passthrough:
  max_in_flight: 64
  max_body_bytes: 1GiB
  timeout: 30s
  idle_timeout: 30s
dedup:
  window: 5m
  max_entries: 1000
dead_letter:
  path: "/dead"
  max_bytes: 2GiB
drain_timeout: 15s
sources:
  - name: "orders"
    workspace: "b"
    on_unmatched: ignore
    success_status: 204
    rules:
      - when:
          - from: "/-"
            literal: true
            exists: true
        ignore: true
      - when:
          - from: "/a"
            exists: true
          - from: "/b"
            exists: false
          - from: "/c"
            in:
              - "1"
              - "true"
          - from: "/d"
            not_in:
              - "$$"
          - from: "/e"
            prefix: "C"
          - from: "/f"
            below: 0.5
          - from: "/g"
            above: -1
        event:
          action:
            value: "order.line"
          label:
            from: "/l"
            type: string
            default: "5"
          time:
            from: "/t"
            format: "%m/%d/%y %H:%M"
            zone: "Europe/London"
          client:
            "customId":
              template: "$${/a}{{}}"
              required: true
              null_if:
                - "0"
                - "none"
          params:
            "from":
              value: "/constant"
              literal: true
            "deep $key":
              value:
                "$a \"b\"":
                  - 1.50
                  - true
                  - "true"
                  - "1"
                  - "$${x}\n"
              literal: true
            "list":
              array:
                - value: 1
                - object:
                    "x":
                      from: ""
                      default:
                        []
      - transaction:
          client:
            from: "/client"
          orderId:
            value: "o"
          products:
            each: "/lines"
            item:
              object:
                "sku":
                  from: "/sku"
            required: true
          revenue:
            from: "/r"
          value:
            from: "/v"
          paymentInfo:
            from: "/p"
          source:
            value: "POS"
          metadata:
            "x":
              from: "/m"
log:
  level: warn
  format: human
)";

// What is masked above, put back in its order.
std::string with_secrets(std::string text) {
  for (const char* secret : {"\"inl1ne $$secret\"", "\"adm1n token\"", "\"w0rkspace secret\""}) {
    const auto at = text.find("\"********\"");
    if (at == std::string::npos) break;
    text.replace(at, 10, secret);
  }
  return text;
}

const World full_world{.variables = {},
                       .files = {{"/key", "f1le-secret\n"},
                                 {"/tls/crt", "cert1ficate"},
                                 {"/tls/key", "pr1vate"},
                                 {"/tls/ca", "auth0rity"},
                                 {"/tls/ocsp", "g00d"}}};

// The text has no default in it and every key of the file, so nothing can be left out unnoticed.
TEST(Masked, PrintsEverythingAsItReadsIt) {
  const Config config = config_of(with_secrets(full), full_world);
  EXPECT_EQ(config.ingest.producers.at(0).keys.at(0).value, "inl1ne $secret");
  EXPECT_EQ(to_yaml_masked(config), full);
}

TEST(Masked, NeverShowsASecret) {
  const std::string printed = to_yaml_masked(config_of(with_secrets(full), full_world));
  for (const char* secret :
       {"inl1ne", "adm1n", "w0rkspace", "f1le-secret", "cert1ficate", "pr1vate"}) {
    EXPECT_THAT(printed, Not(HasSubstr(secret)));
  }
}

// A path and a constant with each character that a file could hold, and some beyond ASCII.
TEST(Masked, EveryCharacterReadsBackAsTheSame) {
  std::string text;
  for (char c = 1; c < 127; ++c) text += c;
  text += "\x7F\u0085z\u0142\u2028\U0001F600 ";
  const World any{.variables = {{"ANY", text}}, .files = {}};
  const Config config = config_of(std::string(small_file) + R"(
buffer: {path: "${ANY}"}
sources: [{name: s, event: {action: a, label: "${ANY}", client: {id: x}}}]
)",
                                  any);
  std::string printed = to_yaml_masked(config);
  printed.replace(printed.find("********"), 8, "workspace-key");
  const Config again = config_of(printed);
  EXPECT_EQ(again.buffer.path, text);
  const auto label = [](const Config& read) {
    const auto& [name, value] = read.sources.at(0)->rules.at(0).shape.members.at(1);
    return std::get<mapping::Constant>(value.source).json;
  };
  EXPECT_EQ(label(again), label(config));
}

TEST(Masked, DefaultsAreFilledInAndReadBackAsTheSame) {
  const Config config = config_of(std::string(small_file));
  std::string printed = to_yaml_masked(config);
  EXPECT_THAT(printed, Not(HasSubstr("workspace-key")));
  EXPECT_THAT(printed, HasSubstr("lanes: 16"));
  printed.replace(printed.find("********"), 8, "workspace-key");
  Config again = config_of(printed);
  EXPECT_TRUE(std::exchange(again.buffer.max_bytes_given, false));
  EXPECT_EQ(again.ingest, config.ingest);
  EXPECT_EQ(again.admin, config.admin);
  EXPECT_EQ(again.workspaces, config.workspaces);
  EXPECT_EQ(again.buffer, config.buffer);
  EXPECT_EQ(again.batch, config.batch);
  EXPECT_EQ(again.delivery, config.delivery);
  EXPECT_EQ(again.passthrough, config.passthrough);
  EXPECT_EQ(again.dedup, config.dedup);
  EXPECT_EQ(again.dead_letter, config.dead_letter);
  EXPECT_EQ(again.drain_timeout, config.drain_timeout);
  EXPECT_EQ(again.log, config.log);
}

}  // namespace
}  // namespace sluice::config

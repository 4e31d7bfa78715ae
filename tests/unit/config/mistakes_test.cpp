// Goal: each mistake is found, with its line and its mend, and all of them in one run.

#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "reading.hpp"

namespace sluice::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Mistaken {
  const char* below;    // written below the small file, from line 4
  const char* mistake;  // the beginning of the only one
};

void expect_each(std::initializer_list<Mistaken> cases, const World& world = {}) {
  for (const Mistaken& c : cases) {
    EXPECT_THAT(mistakes_in(std::string(small_file) + c.below, world),
                ElementsAre(testing::StartsWith(std::string("sluice.yaml") + c.mistake)))
        << c.below;
  }
}

TEST(Mistakes, ReadAsTheHouseStyleSays) {
  EXPECT_THAT(mistakes_in(std::string(small_file) + "batch:\n  linger: 1s\n  max_events: 5000\n"),
              ElementsAre("sluice.yaml:6: batch.max_events is 5000, above the API's limit of 1000: "
                          "write 1000 or less"));
  EXPECT_EQ((Mistake{"a.yaml", 0, "what", "mend"}).to_string(), "a.yaml: what: mend");
}

TEST(Mistakes, UnknownKeysComeWithTheNearest) {
  expect_each({
      {"ingset: {}", ":4: ingset is not a known key: did you mean ingest?"},
      {"ingest:\n  lisen: x", ":5: ingest.lisen is not a known key: did you mean listen?"},
      {"batch:\n  linger: 1s\n  maxEvents: 3",
       ":6: batch.maxEvents is not a known key: did you mean max_events?"},
      {"delivery: {backoff: {maximum: 3s}}",
       ":4: delivery.backoff.maximum is not a known key: write one of initial, max"},
      {"log:\n  nonsense:\n    a: 1",
       ":5: log.nonsense is not a known key: write one of level, format"},
      {"ingest: {producers: [{name: p, key: k, workspcae: default}]}",
       ":4: ingest.producers[0].workspcae is not a known key: did you mean workspace?"},
  });
}

TEST(Mistakes, WrongTypes) {
  expect_each({
      {"ingest: 5", ":4: ingest is not a map: write its keys below it"},
      {"ingest: [a]", ":4: ingest is not a map"},
      {"ingest:\n  producers: p", ":5: ingest.producers is not a list"},
      {"ingest:\n  producers: [p]", ":5: ingest.producers[0] is not a map"},
      {"buffer:\n  path: [a]", ":5: buffer.path is a list, not a value: write one value"},
      {"buffer:\n  path: {a: b}", ":5: buffer.path is a map, not a value"},
      {"buffer:\n  path:\n  max_events: 1", ":5: buffer.path has no value"},
      {"buffer:\n  path: ''", ":5: buffer.path is empty: write a value, or leave the key out"},
      {"delivery: {lanes: many}",
       ":4: delivery.lanes is \"many\", which is not a whole number: write a whole number from 1 "
       "to 1024"},
      {"delivery: {lanes: 1.5}", ":4: delivery.lanes is \"1.5\", which is not a whole number"},
      {"delivery: {lanes: -1}", ":4: delivery.lanes is \"-1\", which is not a whole number"},
      {"delivery: {timeout: 10}",
       ":4: delivery.timeout is \"10\", which is not a duration such as 200ms, 10s, 10m or 1h"},
      {"delivery: {timeout: 10d}", ":4: delivery.timeout is \"10d\", which is not a duration"},
      {"ingest: {max_body_bytes: 8M}",
       ":4: ingest.max_body_bytes is \"8M\", which is not a size such as 16KiB, 8MiB or 1000000"},
      {"buffer: {high_watermark: 95%}",
       ":4: buffer.high_watermark is \"95%\", which is not a number"},
      {"ingest: {producers: [{name: p, key: k, rate_limit: 5000}]}",
       ":4: ingest.producers[0].rate_limit is \"5000\", which is not a rate such as 5000/s or "
       "100/m"},
      {"ingest: {producers: [{name: p, key: k, rate_limit: inf/s}]}",
       ":4: ingest.producers[0].rate_limit is \"inf/s\", which is not a rate"},
      {"ingest: {allow_anonymous: yes}",
       ":4: ingest.allow_anonymous is \"yes\", which is not known: write one of true, false"},
  });
}

TEST(Mistakes, UnknownWords) {
  expect_each({
      {"ingest: {on_invalid: acept_valid}",
       ":4: ingest.on_invalid is \"acept_valid\", which is not known: did you mean accept_valid?"},
      {"buffer: {type: ram}",
       ":4: buffer.type is \"ram\", which is not known: write one of disk, memory"},
      {"log: {level: warning}", ":4: log.level is \"warning\", which is not known"},
      {"log: {format: text}", ":4: log.format is \"text\", which is not known"},
  });
}

// Both ends of each range are taken, and what is just beyond them is not.
TEST(Mistakes, Bounds) {
  struct Range {
    const char* section;
    const char* key;
    const char* least;
    const char* most;
    const char* too_little;  // nullptr: the least is zero
    const char* too_much;
  };
  for (const Range& r : {
           Range{"ingest", "threads", "0", "1024", nullptr, "1025"},
           Range{"ingest", "max_body_bytes", "256KiB", "1GiB", "1023", "1073741825"},
           Range{"ingest", "max_event_bytes", "256", "999998", "255", "999999"},
           Range{"ingest", "max_header_bytes", "1KiB", "1MiB", "1023", "1048577"},
           Range{"ingest", "max_connections", "1", "1000000", "0", "1000001"},
           Range{"ingest", "header_timeout", "10ms", "1h", "9ms", "3600001ms"},
           Range{"ingest", "body_timeout", "10ms", "1h", "9ms", "3600001ms"},
           Range{"ingest", "idle_timeout", "10ms", "1h", "9ms", "3600001ms"},
           Range{"ingest", "write_timeout", "10ms", "1h", "9ms", "3600001ms"},
           Range{"ingest", "future_tolerance", "0", "24h", nullptr, "86400001ms"},
           Range{"limits", "max_connections_per_peer", "0", "1000000", nullptr, "1000001"},
           Range{"limits", "max_requests_per_connection", "0", "1000000000", nullptr, "1000000001"},
           Range{"limits", "max_event_keys", "16", "1000000", "15", "1000001"},
           Range{"limits", "max_string_bytes", "256", "1MB", "255", "1000001"},
           Range{"limits", "max_decompression_ratio", "0", "1000000", nullptr, "1000001"},
           Range{"buffer", "max_bytes", "256KiB", "1024TiB", nullptr, "1125899906842625"},
           Range{"buffer", "max_events", "0", "1000000000000", nullptr, "1000000000001"},
           Range{"buffer", "high_watermark", "0.81", "1", "0", "1.01"},
           Range{"buffer", "low_watermark", "0.01", "0.94", "0", "1.01"},
           Range{"buffer", "sync_interval", "1ms", "1m", "0ms", "61s"},
           Range{"buffer", "producer_share", "0.01", "1", "0", "1.01"},
           Range{"buffer", "drain_timeout", "0", "1h", nullptr, "3600001ms"},
           Range{"batch", "max_events", "1", "1000", "0", "1001"},
           Range{"batch", "max_bytes", "262146", "1MB", "1023", "1000001"},
           Range{"batch", "linger", "0", "1m", nullptr, "60001ms"},
           Range{"delivery", "lanes", "1", "1024", "0", "99999999999999999999999"},
           Range{"delivery", "max_in_flight", "1", "1024", "0", "1025"},
           Range{"delivery", "timeout", "10ms", "1h", "9ms", "3600001ms"},
           Range{"delivery", "accept_statuses", "200", "299", "199", "300"},
           Range{"delivery", "connect_timeout", "10ms", "1h", "9ms", "99999999999999999999h"},
           Range{"dedup", "window", "0", "24h", nullptr, "25h"},
           Range{"dedup", "max_entries", "0", "100000000", nullptr, "100000001"},
           Range{"dead_letter", "max_bytes", "64KiB", "1024TiB", "65535", "99999999999TiB"},
       }) {
    const auto with = [&](const char* value) {
      return mistakes_in(fmt::format("{}{}: {{{}: {}}}", small_file, r.section, r.key, value));
    };
    const std::string place = fmt::format("sluice.yaml:4: {}.{} is ", r.section, r.key);
    EXPECT_THAT(with(r.least), IsEmpty()) << place;
    EXPECT_THAT(with(r.most), IsEmpty()) << place;
    EXPECT_THAT(with(r.too_much), ElementsAre(HasSubstr(place + r.too_much + ", above "))) << place;
    if (r.too_little != nullptr) {
      EXPECT_THAT(with(r.too_little), ElementsAre(HasSubstr(place + r.too_little + ", below ")))
          << place;
    }
  }
}

TEST(Mistakes, BoundsOfWhatIsNotInASectionOfItsOwn) {
  expect_each({
      {"drain_timeout: 2h", ":4: drain_timeout is 2h, above the limit of 1h: write 1h or less"},
      {"delivery:\n  backoff:\n    initial: 0",
       ":6: delivery.backoff.initial is 0, below the least of 1ms: write 1ms or more"},
      {"delivery:\n  backoff:\n    max: 61m",
       ":6: delivery.backoff.max is 61m, above the limit of 1h"},
      {"ingest: {producers: [{name: p, key: k, rate_limit: 10000001/s}]}",
       ":4: ingest.producers[0].rate_limit is 10000001/s, above the limit of 1"},
      {"ingest: {producers: [{name: p, key: k, rate_limit: -1/s}]}",
       ":4: ingest.producers[0].rate_limit is -1/s, below the least of 0"},
  });
}

TEST(Mistakes, ValuesThatDoNotGoTogether) {
  expect_each({
      {"ingest:\n  max_event_bytes: 500kB\nbatch:\n  linger: 1s\n  max_bytes: 400kB",
       ":8: batch.max_bytes does not fit: an event of ingest.max_event_bytes (500kB) and two "
       "brackets "
       "are more than batch.max_bytes (400kB): raise batch.max_bytes or lower "
       "ingest.max_event_bytes"},
      {"batch:\n  max_bytes: 262145", ":5: batch.max_bytes does not fit"},
      {"ingest:\n  max_body_bytes: 1MiB\n  max_event_bytes: 2KiB\n\n  idle_timeout: 1s\nbuffer:\n"
       "  max_bytes: 2047",
       ":10: buffer.max_bytes is 2047, less than one event may have"},
      {"ingest:\n  max_event_bytes: 300KiB\n  max_body_bytes: 100KiB",
       ":5: ingest.max_event_bytes is 300KiB, above max_body_bytes of 100KiB"},
      {"ingest:\n  max_body_bytes: 100KiB",
       ":4: ingest.max_event_bytes is 256KiB, above max_body_bytes of 100KiB"},
      {"buffer:\n  high_watermark: 0.5\n  low_watermark: 0.5",
       ":6: buffer.low_watermark is 0.5, not below high_watermark of 0.5"},
      {"buffer:\n  high_watermark: 0.7",
       ":4: buffer.low_watermark is 0.8, not below high_watermark of 0.7"},
      {"buffer:\n  max_bytes: 0", ":5: buffer.max_bytes and max_events are both 0"},
      {"delivery:\n  backoff:\n    initial: 10s\n    max: 5s",
       ":6: delivery.backoff.initial is 10s, above max of 5s"},
      {"dead_letter:\n  path: /var/lib/sluice", ":5: dead_letter.path is the buffer's path"},
      {"admin:\n  listen: 127.0.0.1:8080",
       ":5: admin.listen is 127.0.0.1:8080, which is listened on already"},
      {"ingest:\n  listen:\n    - unix:/a\n    - unix:/a",
       ":7: ingest.listen[1] is unix:/a, which is listened on already"},
      {"ingest:\n  threads: 1\n  listen: 0.0.0.0:8080",
       ":6: ingest.listen has 0.0.0.0:8080, which other machines reach, and there are no "
       "producers: "
       "write producers: with keys, listen on loopback, or write allow_anonymous: true"},
  });
}

TEST(Mistakes, BadAddresses) {
  for (const char* address : {"8080",
                              ":8080",
                              "127.0.0.1",
                              "127.0.0.1:",
                              "127.0.0.1:65536",
                              "127.0.0.1:-1",
                              "127.0.0.1:80x",
                              "999.0.0.1:80",
                              "1.2.3:80",
                              "example.com:80",
                              "::1:80",
                              "[::1]",
                              "[::1",
                              "[zz]:1",
                              "[::1]x1",
                              "unix:",
                              "unix:relative",
                              "http://127.0.0.1:80",
                              "127.0.0.1:80/",
                              ""}) {
    EXPECT_THAT(mistakes_in(fmt::format("{}ingest:\n  listen: \"{}\"", small_file, address)),
                ElementsAre(testing::StartsWith(fmt::format(
                    "sluice.yaml:5: ingest.listen is \"{}\", which is not an address to listen on",
                    address))));
  }
  const std::string long_path(120, 'a');
  EXPECT_EQ(
      mistakes_in(fmt::format("{}ingest: {{listen: unix:/{}}}", small_file, long_path)).size(), 1U);
  expect_each({{"ingest:\n  listen: []", ":5: ingest.listen has no address"}});
}

TEST(Mistakes, Producers) {
  const World world{.variables = {}, .files = {{"/empty", "\n"}, {"/two", "a\nb"}, {"/k", "k"}}};
  expect_each(
      {
          {"ingest:\n  producers:\n    - key: k", ":6: ingest.producers[0] has no name"},
          {"ingest:\n  producers:\n    - name: a b\n      key: k",
           ":6: ingest.producers[0].name is \"a b\", which is not a name"},
          {"ingest:\n  producers:\n    - name: a",
           ":6: ingest.producers[0] has no key: write key_file:"},
          {"ingest:\n  producers:\n    - {name: a, keys: []}",
           ":6: ingest.producers[0] has no key"},
          {"ingest:\n  producers:\n    - {name: a, keys: [{}]}",
           ":6: ingest.producers[0].keys[0] has no key"},
          {"ingest:\n  producers:\n    - {name: a, key: ''}",
           ":6: ingest.producers[0].key is empty"},
          {"ingest:\n  producers:\n    - {name: a, key: k, max_body_bytes: 17MiB}",
           ":6: ingest.producers[0].max_body_bytes is 17MiB, above ingest.max_body_bytes of 16MiB"},
          {"ingest:\n  producers:\n    - {name: a, key_file: /gone}",
           ":6: ingest.producers[0].key_file is /gone, which cannot be read: No such file or "
           "directory"},
          {"ingest:\n  producers:\n    - {name: a, key_file: /empty}",
           ":6: ingest.producers[0].key_file names a file that is empty"},
          {"ingest:\n  producers:\n    - {name: a, key_file: /two}",
           ":6: ingest.producers[0].key_file has line breaks or control characters inside"},
          {"ingest:\n  producers:\n    - {name: a, key: x, key_file: /k}",
           ":6: ingest.producers[0].key_file is there beside key: keep one of them"},
          {"ingest:\n  producers:\n    - {name: a, key: x}\n    - {name: a, key: y}",
           ":7: ingest.producers[1].name is \"a\", which is taken"},
          {"ingest:\n  producers:\n    - {name: a, key: k}\n    - {name: b, key_file: /k}",
           ":7: ingest.producers[1] has the same key as the producer \"a\""},
          {"ingest:\n  producers:\n    - {name: a, key: x, workspace: defualt}",
           ":6: ingest.producers[0].workspace is \"defualt\", which is not among the workspaces: "
           "did you "
           "mean default?"},
      },
      world);
}

TEST(Mistakes, Tls) {
  const World world{.variables = {}, .files = {{"/c", "c"}, {"/k", "k"}}};
  expect_each(
      {
          {"ingest:\n  tls:\n    cert_file: /c", ":5: ingest.tls has no key_file: write the path"},
          {"ingest:\n  tls: {key_file: /k}", ":5: ingest.tls has no cert_file"},
          {"ingest:\n  tls:\n    cert_file: /c\n    key_file: /gone",
           ":7: ingest.tls.key_file is /gone, which cannot be read"},
          {"ingest:\n  tls: {cert_file: /c, key_file: /k, client_ca_file: /gone}",
           ":5: ingest.tls.client_ca_file is /gone, which cannot be read"},
          {"ingest:\n  tls: {cert_file: /c, key_file: /k, ocsp_response_file: /gone}",
           ":5: ingest.tls.ocsp_response_file is /gone, which cannot be read"},
          {"ingest:\n  tls: {cert_file: /c, key_file: /k, client_auth: optional}",
           ":5: ingest.tls.client_auth needs client_ca_file"},
          {"ingest:\n  tls: {cert_file: /c, key_file: /k, client_ca_file: /k, client_auth: none}",
           ":5: ingest.tls.client_auth is \"none\", which is not known"},
          {"ingest:\n  tls: {cert_file: /c, key_file: /k}\n  producers:\n"
           "    - {name: a, certificates: [a.test]}",
           ":7: ingest.producers[0].certificates needs ingest.tls.client_ca_file"},
          {"ingest:\n  tls: {cert_file: /c, key_file: /k, client_ca_file: /k}\n  producers:\n"
           "    - {name: a, certificates: []}",
           ":7: ingest.producers[0].certificates has no name"},
          {"ingest:\n  tls: {cert_file: /c, key_file: /k, client_ca_file: /k}\n  producers:\n"
           "    - {name: a, certificates: [a.test]}\n    - {name: b, certificates: [b, a.test]}",
           ":8: ingest.producers[1].certificates[1] is \"a.test\", which is also the producer "
           "\"a\""},
      },
      world);
}

TEST(Mistakes, Workspaces) {
  const auto expect = [](const std::string& text, const char* mistake) {
    EXPECT_THAT(mistakes_in(text), ElementsAre(HasSubstr(mistake))) << text;
  };
  const std::string mend =
      ": write\n"
      "workspaces:\n"
      "  - name: default\n"
      "    base_url: https://api.synerise.com\n"
      "    auth: {method: jwt, api_key_file: /run/secrets/synerise_api_key}";
  expect("", ("sluice.yaml: the file has no workspaces" + mend).c_str());
  expect("# nothing yet\n", "sluice.yaml: the file has no workspaces");
  expect("\nworkspaces:\n", ("sluice.yaml:2: workspaces has no workspace" + mend).c_str());
  expect("workspaces: []", ":1: workspaces has no workspace");
  expect("workspaces: {auth: {}}", ":1: workspaces is not a list");
  expect("just text", "sluice.yaml: the file is not a map");
  expect("workspaces:\n  - name: a", ":2: workspaces[0] has no auth");
  expect("workspaces:\n  - auth:\n      api_key: k",
         ":2: workspaces[0].auth has no workspace_guid, which the method basic needs");
  expect("workspaces:\n  - auth: {method: oauth, api_key: k}",
         ":2: workspaces[0].auth.method is \"oauth\", which is not known: write one of basic, jwt");
  expect("workspaces:\n  - auth: {method: jwt}", ":2: workspaces[0].auth has no api_key");
  expect("workspaces:\n  - auth: {method: jwt, api_key: 'a\tb'}",
         ":2: workspaces[0].auth.api_key has line");
  expect("workspaces:\n  - auth: {method: jwt, api_key_file: /gone}",
         ":2: workspaces[0].auth.api_key_file is /gone, which cannot be read");
  const std::string pasted =
      "workspaces:\n  - auth: {method: jwt, api_key_file: 9f8e7d6c-pasted/k3y+x=}";
  expect(pasted, ":2: workspaces[0].auth.api_key_file names a file (not shown");
  EXPECT_THAT(mistakes_in(pasted).at(0), testing::Not(testing::HasSubstr("pasted")));
  expect("workspaces:\n  - auth:\n      workspace_guid: 0123\n      api_key: k",
         ":3: workspaces[0].auth.workspace_guid is not a UUID");
  const std::string auth = "auth: {method: jwt, api_key: k}";
  expect("workspaces:\n  - " + auth + "\n  - " + auth,
         ":3: workspaces[1].name is \"default\", which is taken");
  expect("workspaces:\n  - base_url: http://api.synerise.com\n    " + auth,
         ":2: workspaces[0].base_url is http:// to another machine: the credentials would travel "
         "in clear: "
         "write https://, or allow_plaintext: true");
  expect("workspaces:\n  - " + auth + "\n    ca_file: /gone", ":3: workspaces[0].ca_file is /gone");
  expect("workspaces:\n  - " + auth + "\n    actions: [fine, 'not fine']",
         ":3: workspaces[0].actions[1] is \"not fine\", which is not an action");
  expect("workspaces:\n  - " + auth + "\nadmin:\n  hosts: ['https://sluice.example.com']",
         ":4: admin.hosts[0] is \"https://sluice.example.com\", which is not the name of a host");
  expect("workspaces:\n  - {name: a, " + auth + "}\n  - {name: b, " + auth +
             "}\ningest: {producers: [{name: p, key: k}]}",
         ":4: ingest.producers[0] has no workspace, and there are several: write workspace: a");
}

TEST(Mistakes, Yaml) {
  expect_each({
      {"batch: [1\n", ":5: the YAML cannot be read: "},
      {"batch:\n\t- 1", ":5: the YAML cannot be read: "},
      {"---\nbatch: {}", ":5: a second document begins: write one document"},
      {"batch:\n  linger: 1s\n  linger: 2s", ":6: batch.linger is written twice: keep one of them"},
      {"batch: {}\nlog: {}\nbatch: {}", ":6: batch is written twice"},
      {"batch:\n  [a]: 1", ":5: batch has a key that is not text"},
      {"batch: \xFF", ": the file is not UTF-8"},
      {"batch: &a [*a]", ":4: batch goes on for more than 64 levels or 100000 values"},
  });
}

// Ten levels of ten aliases each are ten thousand million values in a few hundred bytes.
TEST(Mistakes, AliasesCannotUnfoldWithoutEnd) {
  std::string text = std::string(small_file) + "x0: &x0 1\n";
  for (int i = 1; i <= 10; ++i) {
    text += fmt::format("x{}: &x{} [", i, i);
    for (int k = 0; k < 10; ++k) text += fmt::format("*x{},", i - 1);
    text += "]\n";
  }
  EXPECT_THAT(mistakes_in(text), ElementsAre(HasSubstr("goes on for more than")));
}

TEST(Mistakes, AllOfAFileAtOnceInTheOrderOfItsLines) {
  EXPECT_THAT(
      mistakes_in(R"(batch:
  max_events: 5000
  linger: soon
  unknown: 1
ingest:
  listen: [nowhere, 127.0.0.1:80]
  producers:
    - name: a
      key_file: /gone
      workspace: other
    - name: a
workspaces:
  - name: default
    base_url: nowhere
    auth:
      method: basic
      workspace_guid: x
      api_key: ${UNSET}
sources:
  - name: s
    event:
      action: not an action
      label: {from: label}
      client: {}
      colour: red
)"),
      ElementsAre(HasSubstr(":2: batch.max_events is 5000"), HasSubstr(":3: batch.linger is"),
                  HasSubstr(":4: batch.unknown is"), HasSubstr(":6: ingest.listen[0] is"),
                  HasSubstr(":9: ingest.producers[0].key_file is"),
                  HasSubstr(":10: ingest.producers[0].workspace is"),
                  HasSubstr(":11: ingest.producers[1].name is"),
                  HasSubstr(":11: ingest.producers[1] has no key"),
                  HasSubstr(":14: workspaces[0].base_url is"),
                  HasSubstr(":17: workspaces[0].auth.workspace_guid is"),
                  HasSubstr(":18: workspaces[0].auth.api_key uses ${UNSET}"),
                  HasSubstr(":22: sources[0].event.action is"),
                  HasSubstr(":23: sources[0].event.label.from is"),
                  HasSubstr(":24: sources[0].event.client has no identifier"),
                  HasSubstr(":25: sources[0].event.colour is not a known key")));
}

// A variable that is not set is that one mistake, and its value is not judged.
TEST(Mistakes, UnsetVariableHasNoOtherMistake) {
  expect_each({
      {"ingest: {listen: '${X}'}", ":4: ingest.listen uses ${X}"},
      {"batch: {max_events: '${X}'}", ":4: batch.max_events uses ${X}"},
      {"buffer: {type: '${X}'}", ":4: buffer.type uses ${X}"},
      {"ingest: {producers: [{name: '${X}', key: k}]}", ":4: ingest.producers[0].name uses ${X}"},
      {"ingest: {producers: [{name: p, key: '${X}'}]}", ":4: ingest.producers[0].key uses ${X}"},
      {"ingest: {producers: [{name: p, key: k, workspace: '${X}'}]}",
       ":4: ingest.producers[0].workspace uses ${X}"},
      {"sources: [{name: s, event: {action: '${X}', label: l, client: {id: x}}}]",
       ":4: sources[0].event.action uses ${X}"},
      {"sources: [{name: s, event: {action: a, label: {from: '${X}'}, client: {id: x}}}]",
       ":4: sources[0].event.label.from uses ${X}"},
      {"sources: [{name: s, event: {action: a, label: {from: /l, format: '${X}'}, client: {id: "
       "x}}}]",
       ":4: sources[0].event.label.format uses ${X}"},
      {"sources: [{name: s, event: {action: a, label: {from: /l, format: '%F', zone: '${X}'}, "
       "client: "
       "{id: x}}}]",
       ":4: sources[0].event.label.zone uses ${X}"},
  });
  EXPECT_THAT(mistakes_in("workspaces: [{auth: {workspace_guid: '${X}', api_key: k}}]"),
              ElementsAre(HasSubstr("workspaces[0].auth.workspace_guid uses ${X}")));
}

TEST(Mistakes, NeverQuoteASecret) {
  const World world{.variables = {{"KEY", "s3cret\n1"}}, .files = {{"/k", "s3cret\n2"}}};
  const auto mistakes = mistakes_in(R"(
workspaces:
  - auth: {method: basic, workspace_guid: s3cret, api_key: "${KEY}"}
  - {name: b, auth: {method: jwt, api_key_file: /k}}
  - {name: c, auth: {method: jwt, api_key: [s3cret]}}
ingest:
  producers:
    - {name: a, key: s3cret, workspace: b}
    - {name: b, key: s3cret, workspace: b}
    - {name: c, key: {s3cret: x}, workspace: b}
)",
                                    world);
  EXPECT_EQ(mistakes.size(), 6U);
  EXPECT_THAT(mistakes, testing::Each(Not(HasSubstr("s3cret"))));
}

// yaml-cpp reads such texts as documents without end.
TEST(Mistakes, ALoneCommaIsOneAndComesToAnEnd) {
  for (const char* text : {",", ", ", "a: 1\n,", "]", "}"}) {
    EXPECT_THAT(mistakes_in(text), testing::Not(testing::IsEmpty())) << text;
  }
}

TEST(Mistakes, AShortTokenKeyIsOneAndIsNotQuoted) {
  const auto mistakes = mistakes_in(std::string(small_file) + "ingest: {token_key: too-short}\n");
  ASSERT_EQ(mistakes.size(), 1);
  EXPECT_THAT(mistakes[0], testing::AllOf(testing::HasSubstr("fewer than 32 characters"),
                                          testing::Not(testing::HasSubstr("too-short"))));
}

TEST(Mistakes, AnUnknownRouteOfAProducerIsOne) {
  EXPECT_THAT(mistakes_in(std::string(small_file) +
                          "ingest: {producers: [{name: a, key: k, routes: [/v4/nowhere]}]}\n"),
              testing::ElementsAre(testing::HasSubstr("/v4/events/batch")));
}

}  // namespace
}  // namespace sluice::config

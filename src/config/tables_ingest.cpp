#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sluice/event/api_limits.hpp>

#include "kinds.hpp"
#include "tables.hpp"
#include "text_checks.hpp"

namespace sluice::config {

using namespace std::chrono_literals;

namespace {

// Secrets in a list of maps, each with `key` or `key_file`. Read by hand, with the one that stands
// alone.
struct ProducerKeys {
  [[nodiscard]] static std::string schema() {
    return fmt::format(R"("type": "array", "minItems": 1, "items": {{{}}})",
                       defined("producer_key"));
  }
  static void write(Writer& out, const std::vector<Secret>& keys) {
    out.list(keys, [&](const Secret& key) { out.map([&] { out.secret("key", key); }); });
  }
};

bool is_route(std::string_view text) {
  return std::ranges::find(ingest_routes, text) != ingest_routes.end();
}

Texts routes() {
  return {is_route, fmt::format("a route: {}", fmt::join(ingest_routes, ", ")),
          fmt::format(R"("type": "array", "items": {{"enum": ["{}"]}})",
                      fmt::join(ingest_routes, "\", \""))};
}

}  // namespace

template <>
const Table<Ingest>& table<Ingest>() {
  static const Table<Ingest> rows{
      "ingest",
      R"("type": ["object", "null"], "not": {"required": ["token_key", "token_key_file"]})",
      {
          key("listen", &Ingest::listen, Addresses{},
              "Where it listens. All addresses share the keys below.")
              .restart()
              .title("address, or a list")
              .examples(R"("0.0.0.0:8080", "[::1]:8080", ["127.0.0.1:8080", )"
                        R"("unix:/run/sluice/ingest.sock"])"),
          key("threads", &Ingest::threads, within(count, 0, 1'024),
              "Threads; as many more read bodies above 64 KiB. 0: the CPUs that the process may "
              "use, by affinity and cgroup quota.")
              .restart(),
          key("max_body_bytes", &Ingest::max_body_bytes, within(size, kib, gib),
              "A request's body, after decompression. More is answered 413."),
          key("max_event_bytes", &Ingest::max_event_bytes,
              within(size, 256, api::batch_bytes_max - 2, "what a batch can take"),
              "One event's canonical JSON. At most `max_body_bytes`, and two less than "
              "`batch.max_bytes`. More: `event_too_large`."),
          key("max_header_bytes", &Ingest::max_header_bytes, within(size, kib, kib * kib),
              "A request's head. More is answered 431."),
          key("max_connections", &Ingest::max_connections, within(count, 1, 1'000'000),
              "Connections at once, over all threads; fewer if the limit of open files does not "
              "allow as many. The oldest one whose client has not shown who it is makes room for "
              "the next; without such, more are closed at once."),
          key("header_timeout", &Ingest::header_timeout, timeout(),
              "From a request's first byte to the end of its head; also a TLS handshake."),
          key("body_timeout", &Ingest::body_timeout, timeout(),
              "From a request's first byte to the end of its body."),
          key("idle_timeout", &Ingest::idle_timeout, timeout(),
              "Between two requests of a connection."),
          key("write_timeout", &Ingest::write_timeout, timeout(),
              "For a client to take an answer."),
          key("on_invalid", &Ingest::on_invalid, one_of(on_invalid_names),
              "An array in which some events are invalid: take the others, or refuse it as a whole "
              "with 400."),
          key("future_tolerance", &Ingest::future_tolerance, within(duration, 0ms, 24h),
              "A time that is later than the arrival by no more than this is left alone; beyond "
              "it, it is set to the arrival, unless the gateway's own clock is evidently wrong: "
              "before this version was written, or further from the API's than this."),
          key("tls", &Ingest::tls, OptionalMap<ServerTls>{},
              "HTTPS. Unix-domain sockets stay without.")
              .optional("none"),
          key("producers", &Ingest::producers, Maps<Producer>{}, "Who may send."),
          secret_key("token_key", &Ingest::token_key,
                     "32 characters or more, which sign the tokens of logins. Instances behind one "
                     "address need the same. With a random one tokens end with the process. "
                     "`openssl rand -hex 32` makes one.")
              .optional("a random one")
              .restart()
              .see("[Logins](ingest-api.md#login)"),
          secret_file_key<Ingest>("token_key"),
          key("allow_anonymous", &Ingest::allow_anonymous, Flag{},
              "Needed to listen beyond loopback and Unix-domain sockets with no producers.")
              .quietly(),
      }};
  return rows;
}

template <>
const Table<Limits>& table<Limits>() {
  static const Table<Limits> rows{
      "limits",
      optional_map,
      {
          key("max_connections_per_peer", &Limits::max_connections_per_peer,
              within(count, 0, 1'000'000),
              "Connections at once from one address; IPv6 addresses count by their /64. 0: any "
              "number. More are closed at once. Connections on Unix-domain sockets do not count. "
              "It is off because all clients behind a load balancer or a proxy, and all of a pod, "
              "have one address: switch it on where clients connect themselves."),
          key("max_requests_per_connection", &Limits::max_requests_per_connection,
              within(count, 0, 1'000'000'000),
              "The last one is answered with `Connection: close`, and what a client has sent "
              "behind it is not handled. It spreads long-lived connections over instances anew. 0: "
              "any number."),
          key("max_event_keys", &Limits::max_event_keys, within(count, 16, 1'000'000),
              "Keys of one event at all depths, without those that are filled in where they are "
              "absent (`type`, `label`, `time`, `eventSalt` and the like). More: `too_many_keys`, "
              "for that event alone."),
          key("max_string_bytes", &Limits::max_string_bytes,
              within(size, 256, api::batch_bytes_max),
              "One string of an event, a key or a value, as it is written in JSON, without its "
              "quotes. More: `string_too_long`, for that event alone."),
          key("max_decompression_ratio", &Limits::max_decompression_ratio,
              within(count, 0, 1'000'000),
              "How many times its size a compressed body may have once decoded. 0: any. More is "
              "answered 413; `ingest.max_body_bytes` holds all the same."),
      }};
  return rows;
}

template <>
const Table<ServerTls>& table<ServerTls>() {
  static const Table<ServerTls> rows{
      "tls",
      required_map,
      {
          key("cert_file", &ServerTls::cert_file, ReadableFile{},
              "PEM: the certificate and its chain.")
              .required()
              .examples(R"("/etc/sluice/tls/server.crt")"),
          key("key_file", &ServerTls::key_file, ReadableFile{}, "PEM: its key.")
              .required()
              .examples(R"("/etc/sluice/tls/server.key")"),
          key("client_ca_file", &ServerTls::client_ca_file, ReadableFile{},
              "PEM: clients are asked for a certificate of these authorities.")
              .optional("none"),
          key("client_auth", &ServerTls::client_auth, one_of(client_auth_names),
              "Whether a client must show a certificate; with `optional` one without says who it "
              "is by a key. Needs `client_ca_file`.")
              .without_it("`required`")
              .written_if([](const ServerTls& tls) { return !tls.client_ca_file.empty(); }),
          key("ocsp_response_file", &ServerTls::ocsp_response_file, ReadableFile{},
              "DER: an OCSP response for the certificate, sent to clients that ask for its status "
              "until it is out of date.")
              .optional("none")
              .see("[Revocation](security.md#revocation)"),
      }};
  return rows;
}

template <>
const Table<Producer>& table<Producer>() {
  static const Table<Producer> rows{
      "producer",
      R"("type": "object", "anyOf": [{"required": ["key"]}, {"required": ["key_file"]}, )"
      R"({"required": ["keys"]}, {"required": ["certificates"]}])",
      {
          key("name", &Producer::name, Text{defined("name")},
              "Unique. Also part of the salts that `Idempotency-Key` makes.")
              .required(),
          other_key<Producer>("key", defined("secret"),
                              "The producer's key. No two producers may have the same.")
              .without_it("this, `keys` or `certificates`"),
          other_key<Producer>("key_file", defined("path"), "The file that has the key")
              .examples(R"("/run/secrets/checkout")"),
          key("keys", &Producer::keys, ProducerKeys{},
              "Several at once, while a key is being changed.")
              .optional("")
              .title("list of `{key: …}` or `{key_file: …}`"),
          key("rate_limit", &Producer::rate_limit_per_second, within(rate, 0, 10'000'000),
              "Events, accepted or not, with bursts of one second's worth; a body counts as at "
              "least one per 16 KiB of its decoded size. Over it: 429. 0: no limit.")
              .examples(R"("5000/s")"),
          key("max_body_bytes", &Producer::max_body_bytes, Unbounded<std::size_t>{&size},
              "A body of its requests, after decompression: 1KiB or more, at most "
              "`ingest.max_body_bytes`. More is answered 413.")
              .optional("`ingest.max_body_bytes`"),
          key("workspace", &Producer::workspace, Text{defined("name")},
              "Where its events go: the name of a workspace. Needed when there are several "
              "workspaces.")
              .without_it("the only one"),
          key("certificates", &Producer::certificates,
              Texts{nullptr, "",
                    R"("type": "array", "minItems": 1, "items": {"$ref": "#/$defs/text"})"},
              "Names in its client certificates: a common name of the subject, or an alternative "
              "name of the kind DNS, URI or email, all compared exactly. Needs "
              "`ingest.tls.client_ca_file`. No two producers may have the same.")
              .optional("none")
              .by_hand()
              .see("[Client certificates](ingest-api.md#client-certificates)")
              .title("list of texts"),
          key("routes", &Producer::routes, routes(),
              "The routes that it may use: `/v4/events/batch`, `/v4/events/custom`, "
              "`/v4/events/{type}`, `/v4/transactions`, `/v4/transactions/batch`, "
              "`/v1/events/{source}`, and `passthrough`: all that is passed through. Others: 403.")
              .optional("all")
              .title("list"),
          key("sources", &Producer::sources,
              Texts{is_name, "a source's name",
                    R"("type": "array", "items": {"$ref": "#/$defs/name"})"},
              "The sources that it may write to. Others: 403.")
              .optional("all of its workspace")
              .title("list of names"),
      }};
  return rows;
}

template <>
const Table<Admin>& table<Admin>() {
  static const Table<Admin> rows{
      "admin",
      R"("type": ["object", "null"], "not": {"required": ["token", "token_file"]})",
      {
          key("listen", &Admin::listen, Address{},
              "One address, not among those of `ingest`. Reading takes no authentication, and "
              "there is no TLS: keep it on a closed network.")
              .restart(),
          secret_key("token", &Admin::token,
                     "What calls that change something must carry, as `Authorization: Bearer`. "
                     "Without one they are refused.")
              .optional("none")
              .see("[Who may do what](admin-api.md#who-may-do-what)"),
          secret_file_key<Admin>("token").examples(R"("/run/secrets/sluice_admin_token")"),
          key("hosts", &Admin::hosts,
              Texts{is_host_name, "the name of a host: without a scheme and a port",
                    R"("type": ["array", "null"], "items": {"anyOf": [{"type": ["string", )"
                    R"("number", "boolean"], "pattern": "^[a-zA-Z0-9._-]{1,253}$"}, {"$ref": )"
                    R"("#/$defs/variable"}]})"},
              "Names that browsers may know it by, without ports, beside IP addresses, `localhost` "
              "and names inside a cluster.")
              .see("[Who may do what](admin-api.md#who-may-do-what)")
              .title("list")
              .examples(R"(["sluice.example.com"])"),
      }};
  return rows;
}

Keys producer_key_keys() {
  return {"producer_key",
          R"("type": "object", "minProperties": 1, "maxProperties": 1)",
          {{.name = "key",
            .schema = defined("secret"),
            .meaning = "One of the producer's keys.",
            .absent = "one of these"},
           {.name = "key_file", .schema = defined("path"), .meaning = "The file that has it."}}};
}

}  // namespace sluice::config

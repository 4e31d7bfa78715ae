// The configuration, validated and immutable. docs/configuration.md describes each key for
// operators; the members here have the keys' names, with the unit in the type or at the end of the
// name. The sections compare by value, so that a reload can tell what has changed.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sluice/base/log.hpp>
#include <sluice/normalise/mapping_spec.hpp>

namespace sluice::config {

using std::chrono::milliseconds;

// A value that is never printed. `file` is where it was read from, empty when it was given inline.
struct Secret {
  std::string value;
  std::string file;

  bool operator==(const Secret&) const = default;
};

struct TcpAddress {
  std::string host;        // as written; IPv6 without brackets
  std::uint16_t port = 0;  // 0: any free port

  bool operator==(const TcpAddress&) const = default;
};
struct UnixAddress {
  std::string path;

  bool operator==(const UnixAddress&) const = default;
};
using ListenAddress = std::variant<TcpAddress, UnixAddress>;

enum class ClientAuth : std::uint8_t {
  required,  // a client without a certificate is refused
  optional,  // such a client says who it is by a key
};

struct ServerTls {
  std::string cert_file;
  std::string key_file;
  std::string client_ca_file;  // empty: client certificates are not asked for
  ClientAuth client_auth = ClientAuth::required;
  std::string ocsp_response_file{};  // empty: clients that ask for the status get none

  bool operator==(const ServerTls&) const = default;
};

enum class OnInvalid : std::uint8_t { accept_valid, reject_request };

// The routes that a producer may use, as documented and as metrics name them. The last one is all
// that is passed through.
inline constexpr std::array<std::string_view, 7> ingest_routes{
    "/v4/events/batch",       "/v4/events/custom",   "/v4/events/{type}", "/v4/transactions",
    "/v4/transactions/batch", "/v1/events/{source}", "passthrough"};

struct Producer {
  std::string name;
  std::vector<Secret> keys;                 // `key`, `key_file`, or a list of them (rotation)
  double rate_limit_per_second = 0;         // events; 0: none
  std::string workspace;                    // that it writes to on the /v4 routes
  std::vector<std::string> routes{};        // that it may use, of ingest_routes; empty: all
  std::vector<std::string> sources{};       // that it may write to; empty: all of its workspace
  std::vector<std::string> certificates{};  // names in its client certificates
  std::size_t max_body_bytes = 0;           // after decompression; 0: as ingest.max_body_bytes

  bool operator==(const Producer&) const = default;
};

// The section `limits`: what one client, connection, request or event may take of what ingest has.
struct Limits {
  std::size_t max_connections_per_peer = 0;     // at once, from one address; 0: any number
  std::size_t max_requests_per_connection = 0;  // then it is closed; 0: any number
  std::size_t max_event_keys = 10'000;          // of one event, at all depths
  std::size_t max_string_bytes = 256U << 10;    // as written in JSON, without the quotes
  std::size_t max_decompression_ratio = 1'000;  // of a body's size to what it comes as; 0: any

  bool operator==(const Limits&) const = default;
};

struct Ingest {
  std::vector<ListenAddress> listen{TcpAddress{.host = "127.0.0.1", .port = 8080}};
  unsigned threads = 0;  // 0: the CPUs that this process may use, cgroup quota included
  std::size_t max_body_bytes = 16U << 20;  // after decompression
  std::size_t max_event_bytes = 256U << 10;
  std::size_t max_header_bytes = 16U << 10;
  std::size_t max_connections = 20'000;
  milliseconds header_timeout{10'000};  // from the first byte of a request to the end of its header
  milliseconds body_timeout{60'000};
  milliseconds idle_timeout{75'000};   // between two requests of a connection
  milliseconds write_timeout{30'000};  // for a client to take an answer
  Limits limits{};                     // a section of its own in the file
  OnInvalid on_invalid = OnInvalid::accept_valid;
  milliseconds future_tolerance{300'000};  // within which a time in the future is left alone
  std::optional<ServerTls> tls;
  std::vector<Producer> producers;  // none: anonymous
  // That signs the tokens of logins; none: a random one, and tokens end with the process.
  std::optional<Secret> token_key{};
  bool allow_anonymous =
      false;  // needed to listen beyond loopback and Unix sockets with no producers

  bool operator==(const Ingest&) const = default;
};

struct Admin {
  ListenAddress listen = TcpAddress{.host = "127.0.0.1", .port = 9090};
  std::optional<Secret> token{};     // that calls which change something must carry; none: refused
  std::vector<std::string> hosts{};  // further names that browsers may know it by

  bool operator==(const Admin&) const = default;
};

enum class AuthMethod : std::uint8_t { basic, jwt };
struct Auth {
  AuthMethod method = AuthMethod::basic;
  std::string workspace_guid;  // basic only
  Secret api_key;

  bool operator==(const Auth&) const = default;
};

enum class Validation : std::uint8_t {
  api,     // only what cannot be delivered, or what no reading of any source lets pass
  strict,  // all that the vendor's documents and SDK ask for
};

struct Workspace {
  std::string name;
  std::string base_url = "https://api.synerise.com";  // http:// or https://, no path
  std::string ca_file;                                // empty: the system's store
  bool allow_plaintext = false;  // needed for an http:// base_url beyond loopback
  Auth auth;
  Validation validation = Validation::api;
  std::string time_zone = "UTC";  // IANA name: of times that do not say theirs
  unsigned partial_status = 202;  // or 207: when a part of a request's events was rejected
  bool generated_salts = true;
  std::vector<std::string> actions;  // allow list of custom actions; empty: any
  bool passthrough = false;          // other API calls go on to the base_url

  bool operator==(const Workspace&) const = default;
};

enum class BufferType : std::uint8_t { disk, memory };
// When what was written to disk is made to last.
enum class BufferSync : std::uint8_t {
  always,    // before it is acknowledged
  interval,  // within sync_interval: a crash of the machine costs what was acknowledged since
};
struct Buffer {
  BufferType type = BufferType::disk;
  std::string path = "/var/lib/sluice";
  BufferSync sync = BufferSync::always;
  milliseconds sync_interval{100};
  std::size_t max_bytes = std::size_t{8} << 30;
  bool max_bytes_given = false;       // otherwise the file system may be too small for so many
  std::size_t max_events = 0;         // 0: no limit of this kind
  double high_watermark = 0.95;       // share of a limit from which new events are refused ...
  double low_watermark = 0.80;        // ... until it has fallen below this one
  double producer_share = 0.5;        // of a workspace, that one of several producers may fill
  milliseconds drain_timeout{2'000};  // of what is safe on disk

  bool operator==(const Buffer&) const = default;
};

struct Batch {
  std::size_t max_events = 1'000;
  std::size_t max_bytes = 1'000'000;
  milliseconds linger{100};

  bool operator==(const Batch&) const = default;
};

struct Backoff {
  milliseconds initial{200};
  milliseconds max{60'000};

  bool operator==(const Backoff&) const = default;
};
struct Delivery {
  unsigned lanes = 16;                  // per workspace
  unsigned max_in_flight = 16;          // requests per workspace
  milliseconds timeout{10'000};         // from the request's first byte to the answer's last
  milliseconds connect_timeout{5'000};  // name look-up, TCP and TLS together
  // The 2xx that may be a success; empty: those that the API's clients know.
  std::vector<unsigned> accept_statuses = {};
  Backoff backoff;

  bool operator==(const Delivery&) const = default;
};

// Requests that are passed through, where a workspace says so.
struct Passthrough {
  unsigned max_in_flight = 64;                        // per workspace
  std::size_t max_body_bytes = std::size_t{1} << 30;  // of a request
  milliseconds timeout{30'000};       // from the request's last byte to the answer's head
  milliseconds idle_timeout{30'000};  // without a byte coming or going

  bool operator==(const Passthrough&) const = default;
};

struct Dedup {
  milliseconds window{600'000};
  std::size_t max_entries = 1'000'000;

  bool operator==(const Dedup&) const = default;
};

struct DeadLetter {
  std::string path = "/var/lib/sluice/dead-letter";
  std::size_t max_bytes = std::size_t{1} << 30;

  bool operator==(const DeadLetter&) const = default;
};

struct Log {
  log::Level level = log::Level::info;
  log::Format format = log::Format::json;

  bool operator==(const Log&) const = default;
};

struct Config {
  std::string file;  // that it was read from
  Ingest ingest;
  Admin admin;
  std::vector<Workspace> workspaces;  // at least one; the first is the anonymous producers'
  Buffer buffer;
  Batch batch;
  Delivery delivery;
  Passthrough passthrough;
  Dedup dedup;
  DeadLetter dead_letter;
  milliseconds drain_timeout{25'000};
  std::vector<std::shared_ptr<const mapping::Source>> sources;
  Log log;
};

}  // namespace sluice::config

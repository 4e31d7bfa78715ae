#include "sections.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>

#include <fmt/ranges.h>

#include <sluice/config/secret.hpp>
#include <sluice/event/api_limits.hpp>
#include <sluice/normalise/time_zone.hpp>

#include "address.hpp"
#include "sources.hpp"
#include "text_checks.hpp"

namespace sluice::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kib = 1U << 10;
constexpr std::size_t gib = 1U << 30;
constexpr std::size_t store_bytes_max = kib * kib * gib;  // 1 PiB: more is a slip of the keyboard

// Long enough for any network that works at all, short enough to be no infinity.
constexpr Bounds<milliseconds> timeout_bounds{.min = 10ms, .max = 1h};

constexpr std::string_view workspaces_mend =
    "write\n"
    "workspaces:\n"
    "  - name: default\n"
    "    base_url: https://api.synerise.com\n"
    "    auth: {method: jwt, api_key_file: /run/secrets/synerise_api_key}";

// A file that must be readable when the configuration is read, such as a certificate.
void read_file_path(const Section& section, std::string_view key, std::string& out) {
  section.read(key, out);
  const auto at = section.find(key);
  if (!at || out.empty()) return;
  if (const auto text = at->environment().read_file(out); !text) {
    at->mistake(fmt::format("is {}, which cannot be read: {}", out, text.error().message),
                "check the path and its permissions");
  }
}

// The secret, or what keeps it from being one as a mistake.
std::string take_secret(const Place& at, Result<std::string, SecretFault> read) {
  if (read) return *std::move(read);
  at.mistake(read.error().what, std::move(read.error().mend));
  return {};
}

Secret read_secret_file(const Place& at) {
  Secret secret;
  const auto path = at.text();
  if (!path) return secret;
  secret.file = *path;
  secret.value = take_secret(at, secret_in_file(*path, at.environment().read_file));
  return secret;
}

// `key` inline, or `key`_file. Nothing when neither is there.
std::optional<Secret> read_secret(const Section& section, const std::string& key) {
  const auto inline_at = section.find(key);
  const auto file_at = section.find(key + "_file");
  if (inline_at && file_at) {
    file_at->mistake(fmt::format("is there beside {}", key), "keep one of them");
  }
  if (file_at) return read_secret_file(*file_at);
  if (!inline_at) return std::nullopt;
  Secret secret;
  if (const auto text = inline_at->text()) {
    secret.value = take_secret(*inline_at, secret_in_text(*text));
  }
  return secret;
}

std::optional<ListenAddress> read_listen_address(const Place& at) {
  const auto written = at.text();
  if (!written) return std::nullopt;
  auto address = parse_listen_address(*written);
  if (!address) {
    at.mistake(
        fmt::format("is \"{}\", which is not an address to listen on", *written),
        "write 127.0.0.1:8080, \"[::1]:8080\", 0.0.0.0:8080 or unix:/run/sluice/ingest.sock");
  }
  return address;
}

// Port 0 is a new port each time, and so never taken.
void check_not_taken(const Place& at, const ListenAddress& address,
                     const std::vector<ListenAddress>& taken) {
  const auto* tcp = std::get_if<TcpAddress>(&address);
  if ((tcp == nullptr || tcp->port != 0) && std::ranges::find(taken, address) != taken.end()) {
    at.mistake(fmt::format("is {}, which is listened on already", format(address)),
               "write another address");
  }
}

void read_listen(const Section& ingest, std::vector<ListenAddress>& out) {
  const auto at = ingest.find("listen");
  if (!at) return;
  std::vector<ListenAddress> addresses;
  const auto places = at->items_or_one();
  for (const Place& place : places) {
    auto address = read_listen_address(place);
    if (!address) continue;
    check_not_taken(place, *address, addresses);
    addresses.push_back(*std::move(address));
  }
  if (places.empty()) at->mistake("has no address", "write one, such as 127.0.0.1:8080");
  if (!addresses.empty()) out = std::move(addresses);
}

std::vector<Secret> read_producer_keys(const Section& producer) {
  std::vector<Secret> keys;
  if (auto key = read_secret(producer, "key")) keys.push_back(*std::move(key));
  if (const auto list = producer.find("keys")) {
    for (const Place& item : list->items()) {
      const Section section(item, "producer_key");
      auto key = read_secret(section, "key");
      if (!key) section.mistake("has no key", "write key_file: or key:");
      keys.push_back(std::move(key).value_or(Secret{}));
    }
  }
  if (keys.empty() && !producer.has("certificates")) {
    producer.mistake("has no key", "write key_file:, key:, keys: or certificates:");
  }
  return keys;
}

// A key that two producers share does not say whose request it is.
void check_keys_differ(const Place& at, const Producer& producer,
                       const std::vector<Producer>& others) {
  for (const Producer& other : others) {
    const auto is_shared = [&](const Secret& key) {
      return !key.value.empty() &&
             std::ranges::find(other.keys, key.value, &Secret::value) != other.keys.end();
    };
    if (std::ranges::any_of(producer.keys, is_shared)) {
      at.mistake(fmt::format("has the same key as the producer \"{}\"", other.name),
                 "give each producer its own");
    }
  }
}

void read_texts(const Section& section, std::string_view key, bool (*is_right)(std::string_view),
                const std::string& what, std::vector<std::string>& out) {
  const auto list = section.find(key);
  if (!list) return;
  for (const Place& item : list->items()) {
    if (auto text = item.text(is_right, what)) out.push_back(*std::move(text));
  }
}

bool is_route(std::string_view text) {
  return std::ranges::find(ingest_routes, text) != ingest_routes.end();
}

// A certificate that two producers share does not say whose request it is, and without an authority
// nobody has proved to have it.
void read_certificates(const Section& section, const Ingest& ingest, Producer& producer) {
  const auto at = section.find("certificates");
  if (!at) return;
  for (const Place& item : at->items("has no name", "write a name of the client certificate")) {
    auto name = item.text([](std::string_view text) { return !text.empty(); },
                          "a name in a certificate, such as shop.internal");
    if (!name) continue;
    for (const Producer& other : ingest.producers) {
      if (std::ranges::find(other.certificates, *name) != other.certificates.end()) {
        item.mistake(fmt::format("is \"{}\", which is also the producer \"{}\"", *name, other.name),
                     "give each producer names of its own");
      }
    }
    producer.certificates.push_back(*std::move(name));
  }
  if (!ingest.tls || ingest.tls->client_ca_file.empty()) {
    at->mistake("needs ingest.tls.client_ca_file: without it no client shows a certificate",
                "name the authority there, or leave certificates out");
  }
}

void read_producers(const Place& list, const std::vector<Workspace>& workspaces, Ingest& ingest) {
  std::vector<Producer>& producers = ingest.producers;
  std::vector<std::string> names;
  for (const Place& item : list.items()) {
    const Section section(item, "producer");
    Producer producer;
    producer.name = read_unique_name(section, names);
    producer.keys = read_producer_keys(section);
    read_certificates(section, ingest, producer);
    section.read("rate_limit", producer.rate_limit_per_second, rate, {.min = 0, .max = 10'000'000});
    section.read("max_body_bytes", producer.max_body_bytes, size,
                 {.min = kib, .max = ingest.max_body_bytes, .limit = "ingest.max_body_bytes"});
    producer.workspace = read_workspace_reference(section, workspaces);
    read_texts(section, "routes", is_route,
               fmt::format("a route: {}", fmt::join(ingest_routes, ", ")), producer.routes);
    read_texts(section, "sources", is_name, "a source's name", producer.sources);
    check_keys_differ(item, producer, producers);
    producers.push_back(std::move(producer));
  }
}

void read_tls(const Place& at, std::optional<ServerTls>& out) {
  const Section section(at, "tls");
  ServerTls tls;
  for (const std::string_view key : {"cert_file", "key_file"}) {
    static_cast<void>(section.require(key, "write the path of a PEM file"));
  }
  read_file_path(section, "cert_file", tls.cert_file);
  read_file_path(section, "key_file", tls.key_file);
  read_file_path(section, "client_ca_file", tls.client_ca_file);
  section.read("client_auth", tls.client_auth, client_auth_names);
  read_file_path(section, "ocsp_response_file", tls.ocsp_response_file);
  if (section.has("client_auth") && !section.has("client_ca_file")) {
    section.place_of("client_auth")
        .mistake("needs client_ca_file", "name the authority of the clients' certificates there");
  }
  out = std::move(tls);
}

void read_token_key(const Section& section, std::optional<Secret>& out) {
  constexpr std::size_t length_min = 32;  // RFC 7518, 3.2
  out = read_secret(section, "token_key");
  if (out && !out->value.empty() && out->value.size() < length_min) {
    section.place_of(out->file.empty() ? "token_key" : "token_key_file")
        .mistake("has fewer than 32 characters: who guesses it can write as any producer",
                 "make one with: openssl rand -hex 32");
  }
}

void check_anonymous(const Section& section, const Ingest& ingest) {
  if (!ingest.producers.empty() || ingest.allow_anonymous) return;
  const auto open = std::ranges::find_if_not(ingest.listen, is_local);
  if (open == ingest.listen.end()) return;
  section.place_of("listen").mistake(
      fmt::format("has {}, which other machines reach, and there are no producers", format(*open)),
      "write producers: with keys, listen on loopback, or write allow_anonymous: true");
}

void read_ingest(const Section& section, const std::vector<Workspace>& workspaces, Ingest& ingest) {
  read_listen(section, ingest.listen);
  section.read("threads", ingest.threads, count, {.min = 0, .max = 1'024});
  section.read("max_body_bytes", ingest.max_body_bytes, size, {.min = kib, .max = gib});
  section.read("max_event_bytes", ingest.max_event_bytes, size,
               {.min = 256, .max = api::batch_bytes_max - 2, .limit = "what a batch can take"});
  section.read("max_header_bytes", ingest.max_header_bytes, size, {.min = kib, .max = kib * kib});
  section.read("max_connections", ingest.max_connections, count, {.min = 1, .max = 1'000'000});
  section.read("header_timeout", ingest.header_timeout, duration, timeout_bounds);
  section.read("body_timeout", ingest.body_timeout, duration, timeout_bounds);
  section.read("idle_timeout", ingest.idle_timeout, duration, timeout_bounds);
  section.read("write_timeout", ingest.write_timeout, duration, timeout_bounds);
  section.read("on_invalid", ingest.on_invalid, on_invalid_names);
  section.read("future_tolerance", ingest.future_tolerance, duration, {.min = 0ms, .max = 24h});
  section.read("allow_anonymous", ingest.allow_anonymous);
  if (const auto at = section.find("tls")) read_tls(*at, ingest.tls);
  if (const auto at = section.find("producers")) {
    read_producers(*at, workspaces, ingest);
  }
  read_token_key(section, ingest.token_key);
  check_anonymous(section, ingest);
  if (ingest.max_event_bytes > ingest.max_body_bytes) {
    section.place_of("max_event_bytes")
        .mistake(
            fmt::format("is {}, above max_body_bytes of {}", size.format(ingest.max_event_bytes),
                        size.format(ingest.max_body_bytes)),
            "raise ingest.max_body_bytes or lower ingest.max_event_bytes");
  }
}

void read_limits(const Section& section, Limits& limits) {
  section.read("max_connections_per_peer", limits.max_connections_per_peer, count,
               {.min = 0, .max = 1'000'000});
  section.read("max_requests_per_connection", limits.max_requests_per_connection, count,
               {.min = 0, .max = 1'000'000'000});
  section.read("max_event_keys", limits.max_event_keys, count, {.min = 16, .max = 1'000'000});
  section.read("max_string_bytes", limits.max_string_bytes, size,
               {.min = 256, .max = api::batch_bytes_max});
  section.read("max_decompression_ratio", limits.max_decompression_ratio, count,
               {.min = 0, .max = 1'000'000});
}

void read_admin(const Section& section, const Ingest& ingest, Admin& admin) {
  if (const auto at = section.find("listen")) {
    if (auto address = read_listen_address(*at)) admin.listen = *std::move(address);
  }
  check_not_taken(section.place_of("listen"), admin.listen, ingest.listen);
  admin.token = read_secret(section, "token");
  if (const auto hosts = section.find("hosts")) {
    for (const Place& item : hosts->items()) {
      auto host = item.text(is_host_name, "the name of a host: without a scheme and a port");
      if (host) admin.hosts.push_back(*std::move(host));
    }
  }
}

void read_base_url(const Section& section, bool allow_plaintext, std::string& out) {
  const auto at = section.find("base_url");
  if (!at) return;
  auto written = at->text();
  if (!written) return;
  const auto url = parse_base_url(*written);
  if (!url) {
    // Not quoted: a URL of this kind can have a password in it.
    at->mistake("is not an http:// or https:// URL of a host alone, without path, query and user",
                "write https://api.synerise.com, or that of your region");
  } else if (!url->secure && !is_loopback(url->host) && !allow_plaintext) {
    at->mistake("is http:// to another machine: the credentials would travel in clear",
                "write https://, or allow_plaintext: true if the network is trusted");
  } else {
    if (written->ends_with('/')) written->pop_back();
    out = *std::move(written);
  }
}

void read_auth(const Section& workspace, Auth& auth) {
  const auto at = workspace.require(
      "auth", "write auth: {method: jwt, api_key_file: /run/secrets/synerise_api_key}");
  if (!at) return;
  const Section section(*at, "auth");
  std::optional<AuthMethod> method = auth.method;
  if (const auto written = section.find("method")) method = written->choice(auth_method_names);
  auth.method = method.value_or(auth.method);
  if (const auto guid = section.find("workspace_guid")) {
    const auto text = guid->text();
    auth.workspace_guid = text.value_or("");
    // Not quoted: what is here by mistake is often the key.
    if (text && !is_uuid(*text)) {
      guid->mistake("is not a UUID", "write it as 01234567-89ab-cdef-0123-456789abcdef");
    }
  } else if (method == AuthMethod::basic) {
    section.mistake("has no workspace_guid, which the method basic needs",
                    "write the workspace's GUID, or method: jwt");
  }
  if (auto key = read_secret(section, "api_key")) {
    auth.api_key = *std::move(key);
  } else {
    section.mistake("has no api_key", "write api_key_file: or api_key:");
  }
}

Workspace read_workspace(const Place& at, std::vector<std::string>& names) {
  const Section section(at, "workspace");
  Workspace workspace;
  workspace.name = read_unique_name(section, names, "default");
  section.read("allow_plaintext", workspace.allow_plaintext);
  read_base_url(section, workspace.allow_plaintext, workspace.base_url);
  read_file_path(section, "ca_file", workspace.ca_file);
  read_auth(section, workspace.auth);
  section.read("validation", workspace.validation, validation_names);
  section.read("partial_status", workspace.partial_status, partial_status_names);
  if (const auto zone = section.find("time_zone")) {
    workspace.time_zone = zone->text().value_or(workspace.time_zone);
    if (const auto found = normalise::TimeZone::find(workspace.time_zone); !found) {
      zone->mistake("is no zone that is known",
                    "write an IANA name such as Europe/Warsaw; the package tzdata has them");
    }
  }
  section.read("generated_salts", workspace.generated_salts);
  section.read("passthrough", workspace.passthrough);
  if (const auto actions = section.find("actions")) {
    for (const Place& item : actions->items()) {
      auto action = item.text(is_action, "an action: 1 to 32 letters, digits, '.', '-' or '_'");
      if (action) workspace.actions.push_back(*std::move(action));
    }
  }
  return workspace;
}

void read_workspaces(const Section& file, std::vector<Workspace>& workspaces) {
  const auto at = file.require("workspaces", std::string(workspaces_mend));
  if (!at) return;
  std::vector<std::string> names;
  for (const Place& item : at->items("has no workspace", std::string(workspaces_mend))) {
    workspaces.push_back(read_workspace(item, names));
  }
}

void read_buffer(const Section& section, const Ingest& ingest, Buffer& buffer) {
  section.read("type", buffer.type, buffer_type_names);
  section.read("path", buffer.path);
  section.read("sync", buffer.sync, buffer_sync_names);
  section.read("sync_interval", buffer.sync_interval, duration, {.min = 1ms, .max = 1min});
  section.read("max_bytes", buffer.max_bytes, size, {.min = 0, .max = store_bytes_max});
  buffer.max_bytes_given = section.has("max_bytes");
  section.read("max_events", buffer.max_events, count, {.min = 0, .max = 1'000'000'000'000});
  section.read("high_watermark", buffer.high_watermark, share, {.min = 0.01, .max = 1});
  section.read("low_watermark", buffer.low_watermark, share, {.min = 0.01, .max = 1});
  section.read("producer_share", buffer.producer_share, share, {.min = 0.01, .max = 1});
  section.read("drain_timeout", buffer.drain_timeout, duration, {.min = 0ms, .max = 1h});
  if (buffer.low_watermark >= buffer.high_watermark) {
    section.place_of("low_watermark")
        .mistake(fmt::format("is {}, not below high_watermark of {}", buffer.low_watermark,
                             buffer.high_watermark),
                 "write low_watermark below high_watermark");
  }
  if (buffer.max_bytes == 0 && buffer.max_events == 0) {
    section.place_of("max_bytes")
        .mistake("and max_events are both 0: nothing bounds the buffer",
                 "write at least one limit");
  }
  if (buffer.max_bytes != 0 && buffer.max_bytes < ingest.max_event_bytes) {
    section.place_of("max_bytes")
        .mistake(fmt::format("is {}, less than one event may have (ingest.max_event_bytes is {})",
                             size.format(buffer.max_bytes), size.format(ingest.max_event_bytes)),
                 "raise buffer.max_bytes or lower ingest.max_event_bytes");
  }
}

void read_batch(const Section& section, const Section& ingest_section, const Ingest& ingest,
                Batch& batch) {
  section.read("max_events", batch.max_events, count,
               {.min = 1, .max = api::batch_events_max, .limit = "the API's limit"});
  section.read("max_bytes", batch.max_bytes, size,
               {.min = kib, .max = api::batch_bytes_max, .limit = "the API's limit"});
  section.read("linger", batch.linger, duration, {.min = 0ms, .max = 1min});
  // An event that alone fills a batch has the brackets of the array around it.
  if (ingest.max_event_bytes + 2 > batch.max_bytes) {
    const Place at = section.has("max_bytes") ? section.place_of("max_bytes")
                                              : ingest_section.place_of("max_event_bytes");
    at.mistake(fmt::format("does not fit: an event of ingest.max_event_bytes ({}) and two brackets "
                           "are more than batch.max_bytes ({})",
                           size.format(ingest.max_event_bytes), size.format(batch.max_bytes)),
               "raise batch.max_bytes or lower ingest.max_event_bytes");
  }
}

void read_delivery(const Section& section, Delivery& delivery) {
  section.read("lanes", delivery.lanes, count, {.min = 1, .max = 1'024});
  section.read("max_in_flight", delivery.max_in_flight, count, {.min = 1, .max = 1'024});
  section.read("timeout", delivery.timeout, duration, timeout_bounds);
  section.read("connect_timeout", delivery.connect_timeout, duration, timeout_bounds);
  if (const auto statuses = section.find("accept_statuses")) {
    for (const Place& status : statuses->items_or_one()) {
      if (const auto value = status.quantity(count, {.min = 200, .max = 299})) {
        delivery.accept_statuses.push_back(static_cast<unsigned>(*value));
      }
    }
  }
  const Section backoff = section.section("backoff");
  backoff.read("initial", delivery.backoff.initial, duration, {.min = 1ms, .max = 1h});
  backoff.read("max", delivery.backoff.max, duration, {.min = 1ms, .max = 1h});
  if (delivery.backoff.initial > delivery.backoff.max) {
    backoff.place_of("initial").mistake(
        fmt::format("is {}, above max of {}", duration.format(delivery.backoff.initial),
                    duration.format(delivery.backoff.max)),
        "write initial up to max");
  }
}

void read_passthrough(const Section& section, Passthrough& passthrough) {
  section.read("max_in_flight", passthrough.max_in_flight, count, {.min = 1, .max = 10'000});
  section.read("max_body_bytes", passthrough.max_body_bytes, size,
               {.min = kib, .max = std::size_t{1} << 40});
  section.read("timeout", passthrough.timeout, duration, timeout_bounds);
  section.read("idle_timeout", passthrough.idle_timeout, duration, timeout_bounds);
}

void read_dedup(const Section& section, Dedup& dedup) {
  section.read("window", dedup.window, duration, {.min = 0ms, .max = 24h});
  section.read("max_entries", dedup.max_entries, count, {.min = 0, .max = 100'000'000});
}

void read_dead_letter(const Section& section, const Buffer& buffer, DeadLetter& dead_letter) {
  section.read("path", dead_letter.path);
  section.read("max_bytes", dead_letter.max_bytes, size, {.min = 64 * kib, .max = store_bytes_max});
  if (buffer.type == BufferType::disk && buffer.path == dead_letter.path) {
    section.place_of("path").mistake("is the buffer's path", "write a directory of its own");
  }
}

void read_log(const Section& section, Log& log) {
  section.read("level", log.level, log_level_names);
  section.read("format", log.format, log_format_names);
}

}  // namespace

std::string read_workspace_reference(const Section& section,
                                     const std::vector<Workspace>& workspaces) {
  if (workspaces.empty()) return {};  // reported already
  const auto at = section.find("workspace");
  if (!at) {
    if (workspaces.size() > 1) {
      section.mistake("has no workspace, and there are several",
                      fmt::format("write workspace: {}", workspaces.front().name));
    }
    return workspaces.front().name;
  }
  auto name = at->text();
  if (!name) return {};
  std::vector<std::string_view> known;
  std::ranges::transform(workspaces, std::back_inserter(known), &Workspace::name);
  if (std::ranges::find(known, *name) == known.end()) {
    at->mistake(fmt::format("is \"{}\", which is not among the workspaces", *name),
                suggestion(*name, known));
  }
  return *std::move(name);
}

std::string read_unique_name(const Section& section, std::vector<std::string>& taken,
                             std::optional<std::string> otherwise) {
  std::optional<std::string> name = std::move(otherwise);
  if (const auto at = section.find("name")) {
    name = at->text(is_name, "a name: 1 to 64 letters, digits, '.', '-' or '_'");
    if (!name) return {};
  }
  const Place at = section.place_of("name");
  if (!name) {
    section.mistake("has no name", "write name: and what it is called");
    return {};
  }
  if (std::ranges::find(taken, *name) != taken.end()) {
    at.mistake(fmt::format("is \"{}\", which is taken", *name), "write another name");
  }
  taken.push_back(*name);
  return *std::move(name);
}

void read_file(const Place& root, Config& config) {
  const Section file(root, "file");
  const Section ingest = file.section("ingest");
  read_workspaces(file, config.workspaces);
  read_ingest(ingest, config.workspaces, config.ingest);
  read_limits(file.section("limits"), config.ingest.limits);
  read_admin(file.section("admin"), config.ingest, config.admin);
  read_buffer(file.section("buffer"), config.ingest, config.buffer);
  read_batch(file.section("batch"), ingest, config.ingest, config.batch);
  read_delivery(file.section("delivery"), config.delivery);
  read_passthrough(file.section("passthrough"), config.passthrough);
  read_dedup(file.section("dedup"), config.dedup);
  read_dead_letter(file.section("dead_letter"), config.buffer, config.dead_letter);
  read_log(file.section("log"), config.log);
  file.read("drain_timeout", config.drain_timeout, duration, {.min = 0ms, .max = 1h});
  if (const auto sources = file.find("sources")) {
    config.sources = read_sources(*sources, config.workspaces);
  }
}

}  // namespace sluice::config

#include "sections.hpp"

#include <algorithm>
#include <iterator>

#include "address.hpp"
#include "kinds.hpp"
#include "sources.hpp"
#include "tables.hpp"
#include "text_checks.hpp"

namespace sluice::config {
namespace {

constexpr std::string_view workspaces_mend =
    "write\n"
    "workspaces:\n"
    "  - name: default\n"
    "    base_url: https://api.synerise.com\n"
    "    auth: {method: jwt, api_key_file: /run/secrets/synerise_api_key}";

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

void read_producer_limit(const Section& section, const Ingest& ingest, Producer& producer) {
  const auto at = section.find("max_body_bytes");
  if (!at) return;
  const auto bytes = at->quantity(
      size, {.min = kib, .max = ingest.max_body_bytes, .limit = "ingest.max_body_bytes"});
  producer.max_body_bytes = bytes.value_or(producer.max_body_bytes);
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
    read_keys(section, producer);
    read_producer_limit(section, ingest, producer);
    producer.workspace = read_workspace_reference(section, workspaces);
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
  read_keys(section, tls);
  if (section.has("client_auth") && !section.has("client_ca_file")) {
    section.place_of("client_auth")
        .mistake("needs client_ca_file", "name the authority of the clients' certificates there");
  }
  out = std::move(tls);
}

void check_token_key(const Section& section, const std::optional<Secret>& key) {
  constexpr std::size_t length_min = 32;  // RFC 7518, 3.2
  if (key && !key->value.empty() && key->value.size() < length_min) {
    section.place_of(key->file.empty() ? "token_key" : "token_key_file")
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
  read_keys(section, ingest);
  if (const auto at = section.find("tls")) read_tls(*at, ingest.tls);
  if (const auto at = section.find("producers")) {
    read_producers(*at, workspaces, ingest);
  }
  check_token_key(section, ingest.token_key);
  check_anonymous(section, ingest);
  if (ingest.max_event_bytes > ingest.max_body_bytes) {
    section.place_of("max_event_bytes")
        .mistake(
            fmt::format("is {}, above max_body_bytes of {}", size.format(ingest.max_event_bytes),
                        size.format(ingest.max_body_bytes)),
            "raise ingest.max_body_bytes or lower ingest.max_event_bytes");
  }
}

void read_admin(const Section& section, const Ingest& ingest, Admin& admin) {
  read_keys(section, admin);
  check_not_taken(section.place_of("listen"), admin.listen, ingest.listen);
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
  read_keys(section, auth);
  if (!section.has("api_key") && !section.has("api_key_file")) {
    section.mistake("has no api_key", "write api_key_file: or api_key:");
  }
}

Workspace read_workspace(const Place& at, std::vector<std::string>& names) {
  const Section section(at, "workspace");
  Workspace workspace;
  workspace.name = read_unique_name(section, names, "default");
  read_keys(section, workspace);
  read_base_url(section, workspace.allow_plaintext, workspace.base_url);
  read_auth(section, workspace.auth);
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
  read_keys(section, buffer);
  buffer.max_bytes_given = section.has("max_bytes");
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
  read_keys(section, batch);
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
  read_keys(section, delivery);
  const Section backoff = section.section("backoff");
  read_keys(backoff, delivery.backoff);
  if (delivery.backoff.initial > delivery.backoff.max) {
    backoff.place_of("initial").mistake(
        fmt::format("is {}, above max of {}", duration.format(delivery.backoff.initial),
                    duration.format(delivery.backoff.max)),
        "write initial up to max");
  }
}

void read_dead_letter(const Section& section, const Buffer& buffer, DeadLetter& dead_letter) {
  read_keys(section, dead_letter);
  if (buffer.type == BufferType::disk && buffer.path == dead_letter.path) {
    section.place_of("path").mistake("is the buffer's path", "write a directory of its own");
  }
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
  read_keys(file.section("limits"), config.ingest.limits);
  read_admin(file.section("admin"), config.ingest, config.admin);
  read_buffer(file.section("buffer"), config.ingest, config.buffer);
  read_batch(file.section("batch"), ingest, config.ingest, config.batch);
  read_delivery(file.section("delivery"), config.delivery);
  read_keys(file.section("passthrough"), config.passthrough);
  read_keys(file.section("dedup"), config.dedup);
  read_dead_letter(file.section("dead_letter"), config.buffer, config.dead_letter);
  read_keys(file.section("log"), config.log);
  read_keys(file, config);
  if (const auto sources = file.find("sources")) {
    config.sources = read_sources(*sources, config.workspaces);
  }
}

}  // namespace sluice::config

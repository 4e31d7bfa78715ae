#include "kinds.hpp"

#include <algorithm>

#include <sluice/config/secret.hpp>

namespace sluice::config {
namespace {

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

}  // namespace

std::optional<Secret> read_secret(const Section& section, const std::string& name) {
  const auto inline_at = section.find(name);
  const auto file_at = section.find(name + "_file");
  if (inline_at && file_at) {
    file_at->mistake(fmt::format("is there beside {}", name), "keep one of them");
  }
  if (file_at) return read_secret_file(*file_at);
  if (!inline_at) return std::nullopt;
  Secret secret;
  if (const auto text = inline_at->text()) {
    secret.value = take_secret(*inline_at, secret_in_text(*text));
  }
  return secret;
}

std::optional<std::string> Path::read(const Place& at) {
  auto path = at.text();
  if (path && path->empty()) {
    at.mistake("is empty", "write a value, or leave the key out");
    return std::nullopt;
  }
  return path;
}

std::optional<std::string> ReadableFile::read(const Place& at) {
  auto path = Path::read(at);
  if (!path) return std::nullopt;
  if (const auto text = at.environment().read_file(*path); !text) {
    at.mistake(fmt::format("is {}, which cannot be read: {}", *path, text.error().message),
               "check the path and its permissions");
  }
  return path;
}

std::optional<ListenAddress> Address::read(const Place& at) {
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

void check_not_taken(const Place& at, const ListenAddress& address,
                     const std::vector<ListenAddress>& taken) {
  const auto* tcp = std::get_if<TcpAddress>(&address);
  if ((tcp == nullptr || tcp->port != 0) && std::ranges::find(taken, address) != taken.end()) {
    at.mistake(fmt::format("is {}, which is listened on already", format(address)),
               "write another address");
  }
}

std::string Addresses::schema() {
  return fmt::format(
      R"("anyOf": [{{{0}}}, {{"title": "a list", "type": "array", "minItems": 1, "items": )"
      R"({{{0}}}}}])",
      Address::schema());
}

std::optional<std::vector<ListenAddress>> Addresses::read(const Place& at) {
  std::vector<ListenAddress> addresses;
  const auto places = at.items_or_one();
  for (const Place& place : places) {
    auto address = Address::read(place);
    if (!address) continue;
    check_not_taken(place, *address, addresses);
    addresses.push_back(*std::move(address));
  }
  if (places.empty()) at.mistake("has no address", "write one, such as 127.0.0.1:8080");
  return addresses.empty() ? std::nullopt : std::optional(std::move(addresses));
}

std::optional<std::vector<std::string>> Texts::read(const Place& at) const {
  std::vector<std::string> texts;
  for (const Place& item : at.items()) {
    if (auto text = item.text(is_right, wanted)) texts.push_back(*std::move(text));
  }
  return texts;
}

std::string Statuses::schema() {
  return fmt::format(R"("anyOf": [{{{0}}}, {{"type": "array", "items": {{{0}}}}}])",
                     defined("count"));
}

std::optional<std::vector<unsigned>> Statuses::read(const Place& at) {
  std::vector<unsigned> statuses;
  for (const Place& item : at.items_or_one()) {
    if (const auto status = item.quantity(count, {.min = 200, .max = 299})) {
      statuses.push_back(static_cast<unsigned>(*status));
    }
  }
  return statuses;
}

}  // namespace sluice::config

#include "secret_files.hpp"

#include <algorithm>
#include <set>

#include <sys/stat.h>

#include <sluice/base/redactor.hpp>
#include <sluice/config/secret.hpp>

namespace sluice::runtime {
namespace {

// Calls `visit(secret, key)` for each secret that a running gateway can replace; `key` says whose
// it is.
template <class Config, class Visit>
void for_each_secret(Config& config, Visit visit) {
  for (auto& producer : config.ingest.producers) {
    for (auto& key : producer.keys) {
      visit(key, "key_file of the producer " + producer.name);
    }
  }
  for (auto& workspace : config.workspaces) {
    visit(workspace.auth.api_key, "api_key_file of the workspace " + workspace.name);
  }
  if (config.admin.token) {
    visit(*config.admin.token, std::string("admin.token_file"));
  }
}

// A key that two producers share does not say whose request it is.
Result<void> check_keys_differ(const std::vector<config::Producer>& producers) {
  std::set<std::string> keys;
  for (const config::Producer& producer : producers) {
    std::set<std::string> own;
    for (const config::Secret& key : producer.keys) {
      own.insert(key.value);
    }
    for (const std::string& key : own) {
      if (!keys.insert(key).second) {
        return failure(std::errc::invalid_argument,
                       "the producer " + producer.name + " has the same key as another one");
      }
    }
  }
  return {};
}

FileStamp stamp_of(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) {
    return {};
  }
  return {static_cast<std::int64_t>(found.st_dev), static_cast<std::int64_t>(found.st_ino),
          found.st_mtim.tv_sec, found.st_mtim.tv_nsec, found.st_size};
}

}  // namespace

Result<config::Config> reread_secrets(config::Config config,
                                      const config::Environment& environment) {
  Result<void> outcome;
  for_each_secret(config, [&](config::Secret& secret, const std::string& key) {
    auto read = config::read_again(secret, key, environment.read_file);
    if (read) {
      secret = *std::move(read);
    } else if (outcome) {
      outcome = std::unexpected(read.error());
    }
  });
  if (outcome) {
    outcome = check_keys_differ(config.ingest.producers);
  }
  if (!outcome) {
    return std::unexpected(outcome.error());
  }
  return config;
}

void learn_secrets(const config::Config& config) {
  for_each_secret(config, [](const config::Secret& secret, const std::string&) {
    known_secrets().add(secret.value);
  });
  if (config.ingest.token_key) {
    known_secrets().add(config.ingest.token_key->value);
  }
}

FileStamps stamps_of_secrets(const config::Config& config) {
  FileStamps stamps;
  for_each_secret(config, [&](const config::Secret& secret, const std::string&) {
    if (!secret.file.empty()) {
      stamps[secret.file] = stamp_of(secret.file);
    }
  });
  return stamps;
}

FileStamps stamps_as_read(const config::Config& config, const config::Environment& environment) {
  FileStamps stamps = stamps_of_secrets(config);
  for_each_secret(config, [&](const config::Secret& secret, const std::string& key) {
    const auto now = config::read_again(secret, key, environment.read_file);
    if (!now || now->value != secret.value) {
      stamps[secret.file] = {};
    }
  });
  return stamps;
}

FileStamps stamps_of_tls(const config::Config& config) {
  FileStamps stamps;
  if (const auto& tls = config.ingest.tls) {
    for (const std::string& path :
         {tls->cert_file, tls->key_file, tls->client_ca_file, tls->ocsp_response_file}) {
      stamps[path] = stamp_of(path);
    }
  }
  return stamps;
}

}  // namespace sluice::runtime

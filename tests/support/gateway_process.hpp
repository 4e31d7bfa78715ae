// The real gateway as a process of its own, with a disk buffer, to be killed and started again.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "child_process.hpp"
#include "http_client.hpp"
#include "temporary_directory.hpp"

namespace sluice::test {

class GatewayProcess {
 public:
  struct Options {
    std::string base_url;             // of the upstream
    std::string auth = "basic";       // or jwt
    std::string workspace_more = {};  // keys of the workspace, as lines that begin with four blanks
    std::string more = {};            // top-level sections
    std::string workspaces_more = {};        // more workspaces, as lines that begin with two blanks
    std::string buffer_path = {};            // empty: a folder of its own
    std::string buffer_more = {};            // keys of the buffer, as in ", max_bytes: 2MiB"
    std::string ingest_more = {};            // likewise
    std::vector<std::string> launcher = {};  // runs the command that follows it: `sh -c ...`
  };

  // Writes the configuration; starts nothing.
  explicit GatewayProcess(const Options& options);

  // Throws when it does not come up.
  void start();
  // Waits for nothing.
  void launch();
  // SIGTERM; the exit code.
  int stop();
  void kill();
  [[nodiscard]] Process& process() { return *process_; }
  [[nodiscard]] std::string log() const { return process_->output(); }
  [[nodiscard]] const TemporaryDirectory& directory() const { return directory_; }
  [[nodiscard]] const std::string& config_file() const { return config_file_; }
  // The Unix-domain sockets of the two APIs: the same in each life.
  [[nodiscard]] const std::string& ingest() const { return ingest_; }
  [[nodiscard]] const std::string& admin() const { return admin_; }

  // One request each, on a connection of its own; status 0: there was no answer.
  HttpAnswer post(std::string_view body, const Headers& headers = {}) const;
  [[nodiscard]] HttpAnswer get_admin(std::string_view target) const;
  [[nodiscard]] double metric(std::string_view name, std::string_view label_text = "") const;
  // accepted + recovered - (delivered + dead-lettered + buffered + lost): 0 at rest.
  [[nodiscard]] double unaccounted() const;
  // The largest resident set of this life, in bytes.
  [[nodiscard]] std::size_t rss_bytes_max() const;

 private:
  TemporaryDirectory directory_;
  std::string ingest_;
  std::string admin_;
  std::string config_file_;
  std::vector<std::string> launcher_;
  unsigned starts_ = 0;
  std::optional<Process> process_;
};

}  // namespace sluice::test

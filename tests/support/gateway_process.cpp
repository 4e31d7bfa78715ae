#include "gateway_process.hpp"

#include <fstream>
#include <stdexcept>

#include "running_gateway.hpp"
#include "tracked_events.hpp"

namespace sluice::test {

GatewayProcess::GatewayProcess(const Options& options)
    : ingest_(directory_ / "ingest.sock"),
      admin_(directory_ / "admin.sock"),
      config_file_(directory_ / "sluice.yaml"),
      launcher_(options.launcher) {
  const std::string path =
      options.buffer_path.empty() ? directory_ / "buffer" : options.buffer_path;
  std::ofstream(config_file_)
      << "ingest: {listen: \"unix:" << ingest_ << "\", threads: 2" << options.ingest_more << "}\n"
      << "admin: {listen: \"unix:" << admin_ << "\"}\n"
      << "buffer: {path: " << path << options.buffer_more << "}\n"
      << "dead_letter: {path: " << directory_ / "dead-letter" << "}\n"
      << options.more << "workspaces:\n  - name: default\n    base_url: " << options.base_url
      << "\n"
      << options.workspace_more << "    auth: {method: " << options.auth << ", api_key: secret"
      << (options.auth == "basic" ? ", workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057" : "")
      << "}\n"
      << options.workspaces_more;
}

void GatewayProcess::launch() {
  std::vector<std::string> command = launcher_;
  command.insert(command.end(), {SLUICE_BINARY, "serve", "--config", config_file_});
  process_.emplace(command, directory_ / ("log-" + std::to_string(++starts_)));
}

void GatewayProcess::start() {
  launch();
  if (!process_->says("\"ready\"")) {
    throw std::runtime_error("the gateway did not start: " + process_->output());
  }
}

int GatewayProcess::stop() {
  process_->kill(SIGTERM);
  return process_->wait();
}

void GatewayProcess::kill() {
  process_->kill(SIGKILL);
  process_->wait();
}

HttpAnswer GatewayProcess::post(std::string_view body, const Headers& headers) const {
  try {
    return HttpClient(0, {.unix_path = ingest_}).post("/v4/events/batch", body, headers);
  } catch (const std::exception&) {
    return {};  // nobody listens
  }
}

HttpAnswer GatewayProcess::get_admin(std::string_view target) const {
  try {
    return HttpClient(0, {.unix_path = admin_}).get(target);
  } catch (const std::exception&) {
    return {};
  }
}

double GatewayProcess::metric(std::string_view name, std::string_view label_text) const {
  return test::metric(get_admin("/metrics").body, name, label_text);
}

double GatewayProcess::unaccounted() const {
  const std::string text = get_admin("/metrics").body;
  double balance = 0;
  for (const char* in : {"events_accepted_total", "events_recovered_total"}) {
    balance += test::metric(text, in);
  }
  for (const char* out : {"events_delivered_total", "events_dead_lettered_total", "buffer_events",
                          "buffer_events_lost_total"}) {
    balance -= test::metric(text, out);
  }
  return balance;
}

std::size_t GatewayProcess::rss_bytes_max() const {
  std::ifstream status("/proc/" + std::to_string(process_->pid()) + "/status");
  const std::string text{std::istreambuf_iterator<char>(status), {}};
  const std::size_t at = text.find("VmHWM:");
  return at == std::string::npos ? 0 : 1024 * std::stoull(text.substr(at + 6));
}

}  // namespace sluice::test

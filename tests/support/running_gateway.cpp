#include "running_gateway.hpp"

#include <sstream>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include <sluice/base/log.hpp>
#include <sluice/config/load.hpp>

namespace sluice::test {

bool eventually(const std::function<bool()>& condition, std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // between two looks
  }
  return true;
}

double metric(const std::string& exposition, std::string_view name, std::string_view label_text) {
  const std::string full_name = "sluice_" + std::string(name);
  std::istringstream lines(exposition);
  double sum = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t end = line.find_first_of("{ ");
    if (line.substr(0, end) == full_name && line.find(label_text) != std::string::npos) {
      sum += std::stod(line.substr(line.rfind(' ') + 1));
    }
  }
  return sum;
}

std::string plain_yaml(std::string_view more) {
  return R"(
workspaces:
  - name: default
    base_url: ${SIMULATOR}
    auth: {method: basic, workspace_guid: 01890a5d-ac96-774b-bcce-b302099a8057, api_key: upstream-secret}
)" + std::string(more);
}

RunningGateway::RunningGateway(simulator::Options simulator_options, std::string_view yaml)
    : simulator_(std::make_unique<simulator::Simulator>(std::move(simulator_options))) {
  log::configure(log::Level::off, log::Format::human);
  if (auto started = simulator_->start(); !started) {
    throw std::runtime_error(started.error().message);
  }
  config::Environment environment = config::process_environment();
  environment.variable = [this](const std::string& name) -> std::optional<std::string> {
    if (name == "SIMULATOR") {
      return simulator_->base_url();
    }
    return name == "DIRECTORY" ? std::optional(directory_ / "") : std::nullopt;
  };
  auto config = config::parse(yaml, "test.yaml", environment);
  if (!config) {
    throw std::runtime_error(config.error().front().to_string());
  }
  for (config::ListenAddress& address : config->ingest.listen) {
    if (auto* tcp = std::get_if<config::TcpAddress>(&address)) {
      tcp->port = 0;
    }
  }
  config->admin.listen = config::TcpAddress{.host = "127.0.0.1", .port = 0};
  config->buffer.type = config::BufferType::memory;
  config->dead_letter.path = directory_ / "dead-letter";
  config->ingest.threads = config->ingest.threads == 0 ? 2 : config->ingest.threads;
  auto gateway = runtime::start_gateway(*config, system_clock());
  if (!gateway) {
    throw std::runtime_error(gateway.error().message);
  }
  gateway_ = std::move(*gateway);
}

RunningGateway::~RunningGateway() {
  if (gateway_ != nullptr) {
    gateway_->hurry();
    gateway_->stop();
  }
}

std::uint16_t RunningGateway::port() const {
  return std::get<config::TcpAddress>(gateway_->ingest_addresses().front()).port;
}
std::uint16_t RunningGateway::admin_port() const {
  return std::get<config::TcpAddress>(gateway_->admin_address()).port;
}

bool RunningGateway::delivered(double count) const {
  return eventually([&] { return metric("events_delivered_total") >= count; });
}

void RunningGateway::expect_conservation() const {
  const std::string text = metrics();
  EXPECT_EQ(test::metric(text, "events_accepted_total"),
            test::metric(text, "events_delivered_total") +
                test::metric(text, "events_dead_lettered_total") +
                test::metric(text, "buffer_events"));
}

runtime::Gateway::StopReport RunningGateway::stop() {
  const auto report = gateway_->stop();
  gateway_.reset();
  return report;
}

std::string event(std::string_view customer, std::string_view params) {
  return R"({"type":"custom","action":"test.event","label":"test","client":{"customId":")" +
         std::string(customer) + R"("},"params":)" + std::string(params) + "}";
}

std::string events(std::size_t count, std::size_t profiles) {
  std::string body = "[";
  for (std::size_t i = 0; i < count; ++i) {
    body += body.size() > 1 ? "," : "";
    body += event("c" + std::to_string(i % profiles), R"({"n":)" + std::to_string(i) + "}");
  }
  return body + "]";
}

}  // namespace sluice::test

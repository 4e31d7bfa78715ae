// A gateway and a simulated Synerise, both real and in this process, on ports of the kernel's
// choice.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <sluice/runtime/gateway.hpp>
#include <sluice/simulator/simulator.hpp>

#include "http_client.hpp"
#include "temporary_directory.hpp"

namespace sluice::test {

// Polls until the condition holds, at most so long; whether it does.
[[nodiscard]] bool eventually(const std::function<bool()>& condition,
                              std::chrono::seconds patience = std::chrono::seconds(30));

// The sum of a metric's samples whose line holds all of `label_text`, as in `reason="rejected"`.
[[nodiscard]] double metric(const std::string& exposition, std::string_view name,
                            std::string_view label_text = "");

// The configuration of one workspace, with basic credentials, and `more` sections.
[[nodiscard]] std::string plain_yaml(std::string_view more = "");

class RunningGateway {
 public:
  // `yaml` is the configuration; ${SIMULATOR} in it is the simulator's base URL, ${DIRECTORY} an
  // empty folder. What a test does not care for (addresses, dead letters, buffer) is filled in.
  explicit RunningGateway(simulator::Options simulator_options = {},
                          std::string_view yaml = plain_yaml());
  ~RunningGateway();
  RunningGateway(const RunningGateway&) = delete;
  RunningGateway& operator=(const RunningGateway&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::uint16_t admin_port() const;
  [[nodiscard]] simulator::Simulator& upstream() { return *simulator_; }
  [[nodiscard]] const TemporaryDirectory& directory() const { return directory_; }
  [[nodiscard]] std::string metrics() const { return get(admin_port(), "/metrics").body; }
  [[nodiscard]] double metric(std::string_view name, std::string_view label_text = "") const {
    return test::metric(metrics(), name, label_text);
  }

  // Waits until so many events have been delivered.
  [[nodiscard]] bool delivered(double events) const;
  // accepted = delivered + dead-lettered + buffered, at rest.
  void expect_conservation() const;
  runtime::Gateway::StopReport stop();

 private:
  TemporaryDirectory directory_;
  std::unique_ptr<simulator::Simulator> simulator_;
  std::unique_ptr<runtime::Gateway> gateway_;
};

// A valid custom event of this profile.
[[nodiscard]] std::string event(std::string_view customer, std::string_view params = R"({"n":1})");
// An array of `count` of them, numbered in `params.n`, over `profiles` profiles.
[[nodiscard]] std::string events(std::size_t count, std::size_t profiles = 50);

}  // namespace sluice::test

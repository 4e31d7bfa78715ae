// A run, as the command line asks for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "payload.hpp"
#include "target.hpp"

namespace sluice::load {

struct Settings {
  Target target;
  std::size_t connections = 64;
  std::size_t threads = 1;   // at most as many as connections
  std::size_t pipeline = 1;  // requests under way on a connection
  // The run ends after the duration, warm-up not included, or after so many requests; with neither,
  // after each request of `file` was sent once.
  std::optional<std::chrono::nanoseconds> duration;
  std::optional<std::uint64_t> requests;
  std::chrono::nanoseconds warmup{0};
  std::chrono::nanoseconds timeout =
      std::chrono::seconds(10);  // for a connection, and for an answer
  double rate_per_s = 0;         // 0: closed loop
  bool poisson = false;
  Shape shape = Shape::array;
  std::uint32_t batch = 100;
  std::uint64_t profiles = 10'000;
  std::uint64_t seed = 1;
  bool gzip = false;
  std::vector<std::string> header_lines;  // "Name: value"
  std::filesystem::path file;             // to replay; empty: generated traffic
  bool loop = false;                      // replay again and again
  bool insecure = false;                  // do not verify the server's certificate
  std::string ca_file;                    // empty: the system's store
  std::optional<pid_t> server_pid;
  std::filesystem::path json_file;
  std::filesystem::path svg_file;
  bool quiet = false;
};

}  // namespace sluice::load

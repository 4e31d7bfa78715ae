// Requests made ready before the run: head and body are one string, so that sending one costs one
// write and no formatting. Read-only once made, and shared by all workers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "target.hpp"

namespace sluice::load {

struct Request {
  std::string bytes;
  std::uint32_t events = 0;  // that its body holds
};

using RequestPool = std::vector<Request>;

struct Framing {
  std::string authority;  // the Host header
  std::string content_type;
  bool gzip = false;                      // compress bodies
  std::vector<std::string> header_lines;  // more of them: "Name: value"
};

// The POST of this body to this path.
[[nodiscard]] Request make_request(const Framing& framing, std::string_view path,
                                   std::string_view body, std::uint32_t events);

// As `Content-Encoding: gzip` has it.
[[nodiscard]] std::string gzip(std::string_view body);

}  // namespace sluice::load

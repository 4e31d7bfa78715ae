// Writing to a client that may not read.
#pragma once

#include <chrono>
#include <string>

#include <sluice/net/listener.hpp>

namespace sluice::admin {

// A client that takes nothing for so long is gone.
inline constexpr std::chrono::seconds write_timeout{10};

// Whether the client took all of it in time.
[[nodiscard]] net::Task<bool> write_to_client(net::Socket& socket, std::string text);

}  // namespace sluice::admin

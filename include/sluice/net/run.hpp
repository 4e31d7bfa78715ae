// A thread's life on an io_context.
#pragma once

#include <string_view>

#include <boost/asio/io_context.hpp>

namespace sluice::net {

// Runs the context until it is out of work or stopped. An exception that escapes from a handler is
// logged with `thread`, a literal, and ends nothing else.
void run(boost::asio::io_context& context, std::string_view thread);

}  // namespace sluice::net

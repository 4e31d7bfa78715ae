// A thread's life on an io_context.
#pragma once

#include <boost/asio/io_context.hpp>

namespace sluice::net {

// Names the calling thread, and runs the context until it is out of work or stopped. An exception
// that escapes from a handler is logged with `thread`, a literal, and ends nothing else.
void run(boost::asio::io_context& context, const char* thread);

}  // namespace sluice::net

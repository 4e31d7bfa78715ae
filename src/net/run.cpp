#include <exception>

#include <sluice/base/log.hpp>
#include <sluice/net/run.hpp>

namespace sluice::net {

void run(boost::asio::io_context& context, std::string_view thread) {
  while (true) {
    try {
      context.run();
      return;
    } catch (const std::exception& escaped) {
      SLUICE_LOG(error, "an exception escaped on a thread", {"thread", thread},
                 {"what", escaped.what()});
    }
  }
}

}  // namespace sluice::net

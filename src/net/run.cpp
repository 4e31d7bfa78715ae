#include <exception>

#include <sluice/base/log.hpp>
#include <sluice/base/thread_name.hpp>
#include <sluice/net/run.hpp>

namespace sluice::net {

void run(boost::asio::io_context& context, const char* thread) {
  name_this_thread(thread);
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

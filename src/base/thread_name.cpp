#include <pthread.h>

#include <sluice/base/thread_name.hpp>

namespace sluice {

void name_this_thread(const char* name) { ::pthread_setname_np(::pthread_self(), name); }

}  // namespace sluice

// What operators see of a thread.
#pragma once

namespace sluice {

// Names the calling thread in `top -H`, `ps -L` and profiles. Of the name, which is a literal, the
// kernel keeps 15 bytes (pthread_setname_np(3)).
void name_this_thread(const char* name);

}  // namespace sluice

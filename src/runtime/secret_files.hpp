// Files beside the configuration that others replace while the gateway runs: keys, and the
// listener's certificate.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <sluice/base/result.hpp>
#include <sluice/config/config.hpp>
#include <sluice/config/load.hpp>

namespace sluice::runtime {

// The configuration with every secret that has a file read from it again. The error says, in one
// line, what is wrong with a file; it never quotes what is in it.
[[nodiscard]] Result<config::Config> reread_secrets(config::Config config,
                                                    const config::Environment& environment);

// What the configuration keeps secret is redacted in what is logged and kept from now on.
void learn_secrets(const config::Config& config);

// Which file is at a path and when it was written, wherever symbolic links on the way point; empty:
// there is none.
using FileStamp = std::vector<std::int64_t>;
using FileStamps = std::map<std::string, FileStamp>;

// Of the files with keys, and of those of the listener's certificate.
[[nodiscard]] FileStamps stamps_of_secrets(const config::Config& config);
// Of the files with keys that `config` was just read from. One that holds something else by now has
// no stamp, so that it is read again.
[[nodiscard]] FileStamps stamps_as_read(const config::Config& config,
                                        const config::Environment& environment);
[[nodiscard]] FileStamps stamps_of_tls(const config::Config& config);

}  // namespace sluice::runtime

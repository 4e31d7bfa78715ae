// From what somebody wrote, or a file holds, to the secret that it stands for: one way for every
// secret, whenever it is read. Pure but for the `read_file` that is handed in; any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <system_error>

#include <sluice/base/result.hpp>
#include <sluice/config/config.hpp>

namespace sluice::config {

// Why there is no secret. `what` goes on behind the name of a key ("admin.token_file"), `mend` says
// what to do. Neither quotes what was found, as that may be the secret.
struct SecretFault {
  std::error_code code;
  std::string what;
  std::string mend;
};

using ReadFile = std::function<Result<std::string>(const std::string& path)>;

// The text without a byte order mark in front and without blanks and line ends around it, which
// editors, shells and secret stores add. Nothing of it may be left out further in: a text that is
// empty then, has control characters inside or is UTF-16 is a fault.
[[nodiscard]] Result<std::string, SecretFault> secret_in_text(std::string_view written);
// Likewise, of what a file holds.
[[nodiscard]] Result<std::string, SecretFault> secret_in_file(const std::string& path,
                                                              const ReadFile& read_file);

// The secret as its file has it now; without a file it stays as it is. The error says in one line
// whose secret it is (`key`, such as "api_key_file of the workspace shop"), what is wrong and how
// to mend it.
[[nodiscard]] Result<Secret> read_again(Secret secret, std::string_view key,
                                        const ReadFile& read_file);

}  // namespace sluice::config

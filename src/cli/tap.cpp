#include <utility>

#include <sluice/base/percent.hpp>
#include <sluice/cli/cli.hpp>

#include "admin_client.hpp"
#include "commands.hpp"
#include "dlq_text.hpp"

namespace sluice::cli {
namespace {

std::string target_of(const TapOptions& options) {
  std::string target = std::string("/tap?unmasked=") + (options.unmasked ? "true" : "false");
  if (options.accepted != options.rejected) {
    target += options.accepted ? "&outcome=accepted" : "&outcome=rejected";
  }
  for (const auto& [name, value] :
       {std::pair("source", &options.source), std::pair("workspace", &options.workspace),
        std::pair("sample", &options.sample)}) {
    if (!value->empty()) {
      target += std::string("&") + name + "=" + encode_percent(*value);
    }
  }
  return target;
}

}  // namespace

int tap(const std::string& config_file, const TapOptions& options) {
  const auto config = load_config(config_file);
  if (!config) {
    return config.error();
  }
  const AdminClient client(config->admin);
  std::string held;  // of a line whose end has not come
  const auto answer = client.stream(target_of(options), [&held](std::string_view piece) {
    held += piece;
    const std::size_t whole = held.rfind('\n') + 1;
    say(std::string_view(held).substr(0, whole));
    held.erase(0, whole);
  });
  if (!answer) {
    return fail("tap", answer.error().message);
  }
  if (answer->status != status_ok) {
    return fail("tap", "the gateway at " + client.address() + " says " +
                           std::to_string(answer->status) + ": " + message_of(answer->body));
  }
  return fail("tap", "the gateway has ended it");
}

}  // namespace sluice::cli

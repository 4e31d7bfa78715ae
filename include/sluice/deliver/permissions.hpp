// What a workspace's key may do, as the upstream's permission check tells it
// (api::permission_check_path).
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include <sluice/base/result.hpp>

namespace sluice::deliver {

struct Permissions {
  std::string business_profile;  // the workspace's name at the vendor's
  std::map<std::string, bool, std::less<>> granted;
};

// The body that asks for these: a JSON array.
[[nodiscard]] std::string permission_question(std::span<const std::string> names);
// {"businessProfileName":"…","permissions":{"…":true}}; the error is for people.
[[nodiscard]] Result<Permissions> parse_permissions(std::string_view body);

}  // namespace sluice::deliver

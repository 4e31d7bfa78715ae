#include <simdjson.h>

#include <sluice/base/json_text.hpp>
#include <sluice/deliver/permissions.hpp>

namespace sluice::deliver {

std::string permission_question(std::span<const std::string> names) {
  std::string body = "[";
  for (const std::string& name : names) {
    body += body.size() > 1 ? "," : "";
    append_json_string(body, name);
  }
  return body + "]";
}

Result<Permissions> parse_permissions(std::string_view body) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::object granted;
  if (parser.parse(simdjson::padded_string(body)).get(root) != simdjson::SUCCESS ||
      root["permissions"].get(granted) != simdjson::SUCCESS) {
    return failure(std::errc::bad_message, "the answer names no permissions");
  }
  Permissions permissions;
  std::string_view name;
  if (root["businessProfileName"].get(name) == simdjson::SUCCESS) {
    permissions.business_profile = name;
  }
  for (const auto& [key, value] : granted) {
    bool is_granted = false;
    permissions.granted[std::string(key)] =
        value.get(is_granted) == simdjson::SUCCESS && is_granted;
  }
  return permissions;
}

}  // namespace sluice::deliver

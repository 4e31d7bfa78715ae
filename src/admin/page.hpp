// An answer of the admin server, before it is HTTP.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/beast/http/status.hpp>

namespace sluice::admin {

struct Page {
  boost::beast::http::status status{};
  std::string_view content_type;  // a literal
  std::string body;
  std::vector<std::pair<std::string_view, std::string_view>> fields{};  // of literals
};

inline constexpr std::string_view plain = "text/plain; charset=utf-8";
inline constexpr std::string_view json = "application/json";

}  // namespace sluice::admin

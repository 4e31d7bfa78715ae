// A request to the admin server, and what its head says.
#pragma once

#include <algorithm>
#include <string_view>

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include "guard.hpp"

namespace sluice::admin {

using Request = boost::beast::http::request<boost::beast::http::string_body>;

[[nodiscard]] inline std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

[[nodiscard]] inline std::string_view path_of(const Request& request) {
  const std::string_view target = view(request.target());
  return target.substr(0, target.find('?'));
}

// What is behind the question mark.
[[nodiscard]] inline std::string_view query_of(const Request& request) {
  const std::string_view target = view(request.target());
  return target.substr(std::min(path_of(request).size() + 1, target.size()));
}

[[nodiscard]] inline bool reads(const Request& request) {
  return request.method() == boost::beast::http::verb::get ||
         request.method() == boost::beast::http::verb::head;
}

[[nodiscard]] inline Credentials credentials_of(const Request& request) {
  namespace http = boost::beast::http;
  return {.host = view(request[http::field::host]),
          .origin = view(request[http::field::origin]),
          .authorization = view(request[http::field::authorization]),
          .content_type = view(request[http::field::content_type])};
}

}  // namespace sluice::admin

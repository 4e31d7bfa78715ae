#include "control_routes.hpp"

#include <sluice/base/json_text.hpp>

namespace sluice::admin {
namespace {

namespace http = boost::beast::http;

void append_list(std::string& out, std::string_view name, const std::vector<std::string>& items) {
  out += out.back() == '{' ? "" : ",";
  append_json_string(out, name);
  out += ":[";
  for (const std::string& item : items) {
    out += out.back() == '[' ? "" : ",";
    append_json_string(out, item);
  }
  out += ']';
}

Page reload_page(const ReloadReport& report) {
  std::string body = "{";
  if (!report.mistakes.empty()) {
    append_list(body, "mistakes", report.mistakes);
  } else {
    append_list(body, "taken_over", report.taken_over);
    append_list(body, "needs_restart", report.needs_restart);
  }
  return {.status = report.mistakes.empty() ? http::status::ok : http::status::unprocessable_entity,
          .content_type = json,
          .body = body + "}\n"};
}

}  // namespace

bool is_control_path(std::string_view path) { return path == "/reload" || path == "/quitquitquit"; }

net::Task<Page> answer_control(const Request& request, const Hooks& hooks,
                               const std::optional<config::Secret>& token) {
  const Credentials credentials = credentials_of(request);
  if (is_cross_site(credentials)) {
    co_return other_site();
  }
  if (request.method() != http::verb::post) {
    co_return wrong_method("POST");
  }
  if (auto refused = refuse_change(credentials, token)) {
    co_return *std::move(refused);
  }
  if (path_of(request) == "/reload") {
    const ReloadReport report = co_await hooks.reload();
    co_return reload_page(report);
  }
  hooks.quit();
  co_return Page{
      .status = http::status::accepted, .content_type = json, .body = "{\"draining\":true}\n"};
}

}  // namespace sluice::admin

#include "dead_letter_routes.hpp"

#include <set>
#include <utility>

#include "dead_letter_text.hpp"

namespace sluice::admin {
namespace {

namespace http = boost::beast::http;
using net::Task;

constexpr std::string_view root = "/dlq";

Page problem_of(const Error& error) {
  if (error.code == std::errc::invalid_argument) {
    return problem(http::status::bad_request, error.message);
  }
  if (error.code == std::errc::device_or_resource_busy) {
    return problem(http::status::conflict, error.message);
  }
  return problem(http::status::internal_server_error, error.message);
}

Task<Page> list(std::string_view query_text, DeadLetters& letters) {
  const auto query = parse_query(query_text);
  if (!query) {
    co_return problem_of(query.error());
  }
  const auto page = co_await letters.read(*query);
  if (!page) {
    co_return problem_of(page.error());
  }
  co_return Page{
      .status = http::status::ok, .content_type = json, .body = to_json(*page, letters.totals())};
}

Task<Page> show(std::string_view id_text, DeadLetters& letters) {
  const auto id = deadletter::parse_letter_id(id_text);
  if (!id) {
    co_return problem(http::status::not_found, "this is not the id of a dead letter");
  }
  deadletter::Query query{
      .selection = std::set<deadletter::LetterId>{*id}, .last = id, .letters_max = 1};
  const auto page = co_await letters.read(std::move(query));
  if (!page) {
    co_return problem_of(page.error());
  }
  if (page->letters.empty()) {
    co_return problem(http::status::not_found, "there is no dead letter with this id (any more)");
  }
  co_return Page{
      .status = http::status::ok, .content_type = json, .body = page->letters.front().line + "\n"};
}

template <class Report>
Page report_page(const Result<Report>& report) {
  if (!report) {
    return problem_of(report.error());
  }
  return {.status = report->stopped.empty() ? http::status::ok : http::status::service_unavailable,
          .content_type = json,
          .body = to_json(*report)};
}

Task<Page> change(bool replays, std::string_view body, DeadLetters& letters) {
  auto pass = parse_pass(body);
  if (!pass) {
    co_return problem_of(pass.error());
  }
  if (replays) {
    const auto report = co_await letters.replay(*std::move(pass));
    co_return report_page(report);
  }
  const auto report = co_await letters.purge(*std::move(pass));
  co_return report_page(report);
}

}  // namespace

bool is_dead_letter_path(std::string_view path) {
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

Task<Page> answer_dead_letters(const Request& request, DeadLetters& letters,
                               const std::optional<config::Secret>& token) {
  const std::string_view path = path_of(request);
  const Credentials credentials = credentials_of(request);
  const bool replays = path == "/dlq/replay";
  const bool changes = replays || path == "/dlq/purge";
  if (is_cross_site(credentials)) {
    co_return other_site();
  }
  if (changes && request.method() != http::verb::post) {
    co_return wrong_method("POST");
  }
  if (!changes && !reads(request)) {
    co_return wrong_method("GET, HEAD");
  }
  if (path.size() == root.size()) {
    co_return co_await list(query_of(request), letters);
  }
  if (!changes) {
    co_return co_await show(path.substr(root.size() + 1), letters);
  }
  if (auto refused = refuse_change(credentials, token)) {
    co_return *std::move(refused);
  }
  co_return co_await change(replays, request.body(), letters);
}

}  // namespace sluice::admin

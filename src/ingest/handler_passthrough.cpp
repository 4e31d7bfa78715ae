#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "handler.hpp"
#include "passthrough.hpp"
#include "route_hint.hpp"

namespace sluice::ingest {
namespace {

// Names the mend: the route that was missed, or else the setting that lets other calls through.
std::unexpected<Problem> nothing_here(const RequestHead& head, std::string_view workspace) {
  std::string message =
      "nothing is served here: post to /v4/events/batch, /v4/events/custom, /v4/events/{type}, "
      "/v4/transactions, /v4/transactions/batch or /v1/events/{source}.";
  const std::string hint = route_hint(head.path());
  if (!hint.empty()) {
    return refused(Refusal::unknown_route, message + hint);
  }
  message += has_tracker_key(head.target) ? " Calls with a tracker key (?token=)"
                                          : " Other calls of the API";
  message += " go on to it where the workspace has `passthrough: true`";
  return refused(Refusal::unknown_route,
                 message + (workspace.empty() ? std::string()
                                              : ", and `" + std::string(workspace) + "` does not"));
}

// Whether the path may go to the upstream.
Result<void, Problem> check_path(std::string_view path, bool with_credentials) {
  const PathVerdict verdict = judge_path(path, with_credentials);
  if (verdict == PathVerdict::ambiguous) {
    return refused(Refusal::bad_request,
                   "this path can be read in several ways, and is not passed through: write it "
                   "without dot segments, empty segments and encoded slashes." +
                       route_hint(path));
  }
  if (verdict == PathVerdict::login) {
    return refused(Refusal::not_allowed,
                   "logins are not passed through with the workspace's credentials");
  }
  return {};
}

// Where a caller goes that belongs to none: the first that passes anything on, or just the first.
std::size_t first_passing_workspace(const Tables& tables) {
  const auto found = std::ranges::find_if(tables.workspaces, [](const WorkspaceTarget& workspace) {
    return workspace.passthrough != nullptr;
  });
  return found == tables.workspaces.end()
             ? 0
             : static_cast<std::size_t>(found - tables.workspaces.begin());
}

}  // namespace

Result<Admitted, Problem> Handler::look_past_routes(const RequestHead& head, Peer* peer) {
  // A request that began before a reload switched passing through on has no whole head.
  if (options_->keep_whole == KeepWhole::never || !head.whole) {
    return nothing_here(head, "");
  }
  if (head.repeated) {
    return refused(Refusal::bad_request, "a header field that may come once came twice");
  }
  Admitted admitted{.options = options_, .route = {.id = RouteId::passthrough}};
  // Without producers nobody has proved anything: callers get what their own credentials give them.
  admitted.with_credentials = !options_->producers->anonymous();
  if (admitted.with_credentials) {
    if (const auto found = find_producer(head, peer)) {
      admitted.producer = *found;
      admitted.workspace = admitted.producer->workspace;
    } else if (found.error().refusal == Refusal::no_key && has_tracker_key(head.target) &&
               head.authorization.empty() && head.api_key.empty()) {
      // It shows the API's own key and none of ours: what that gives it, and no more.
      admitted.with_credentials = false;
      admitted.workspace = first_passing_workspace(*options_->tables);
    } else {
      return std::unexpected(found.error());
    }
  }
  admitted.passthrough = options_->tables->workspaces[admitted.workspace].passthrough;
  if (admitted.passthrough == nullptr) {
    return nothing_here(head, options_->tables->workspaces[admitted.workspace].name);
  }
  if (admitted.producer != nullptr &&
      !admitted.producer->may_use(to_string(RouteId::passthrough))) {
    return refused(Refusal::not_allowed, "`passthrough` is not among the producer's `routes`");
  }
  if (!is_passed_method(head.method_text)) {
    return std::unexpected(Problem{.refusal = Refusal::wrong_method,
                                   .message = "this method is not passed through",
                                   .allow = passed_methods});
  }
  const bool forbids_logins = !options_->producers->anonymous();
  if (const auto fine = check_path(head.path(), forbids_logins); !fine) {
    return std::unexpected(fine.error());
  }
  if (draining()) {
    return std::unexpected(
        Problem{.refusal = Refusal::draining,
                .message = "the gateway is stopping: send this again, to another one",
                .retry_after = std::chrono::seconds(1)});
  }
  return admitted;
}

}  // namespace sluice::ingest

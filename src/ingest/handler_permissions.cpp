#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <simdjson.h>

#include <sluice/base/redactor.hpp>

#include "handler.hpp"

namespace sluice::ingest {
namespace {

// As many as no integration asks for, of any length that a name has.
constexpr std::size_t permission_names_max = 256;
constexpr std::size_t permission_name_bytes_max = 128;
// An upstream that is away is asked again after so long.
constexpr std::chrono::seconds ask_again_after{5};

// ["API_…", "API_…"]
std::optional<std::vector<std::string>> names_in(std::span<const char> body) {
  simdjson::dom::parser parser;
  simdjson::dom::array items;
  if (parser.parse(simdjson::padded_string(body.data(), body.size())).get(items) !=
          simdjson::SUCCESS ||
      items.size() > permission_names_max) {
    return std::nullopt;
  }
  std::vector<std::string> names;
  for (const simdjson::dom::element item : items) {
    std::string_view name;
    if (item.get(name) != simdjson::SUCCESS || name.empty() ||
        name.size() > permission_name_bytes_max) {
      return std::nullopt;
    }
    names.emplace_back(name);
  }
  return names;
}

bool may_use_any(const Producer* producer, std::initializer_list<RouteId> routes) {
  return producer == nullptr || std::ranges::any_of(routes, [&](RouteId route) {
           return producer->may_use(to_string(route));
         });
}

}  // namespace

std::optional<Handed> Handler::ask_permissions(const RequestHead& head, const Admitted& admitted,
                                               std::span<char> body, bool keep_alive,
                                               std::string& out,
                                               const buffer::Buffer::Acknowledge& acknowledge) {
  const WorkspaceTarget& workspace = admitted.options->tables->workspaces[admitted.workspace];
  const auto decoded = decode(admitted, body);
  auto names = decoded ? names_in(*decoded) : std::nullopt;
  if (!names || workspace.permissions == nullptr) {
    const auto problem =
        !decoded ? decoded.error()
                 : refused(Refusal::malformed_body,
                           "a permission check is a JSON array of at most 256 permission names")
                       .error();
    refuse(head, admitted.route.id, problem, keep_alive, out);
    return std::nullopt;
  }
  const auto inquiry = std::make_shared<Inquiry>(Inquiry{.names = *names, .answer = {}});
  (*workspace.permissions)(*std::move(names), [inquiry, acknowledge](PermissionAnswer answer) {
    inquiry->answer = std::move(answer);
    acknowledge({});
  });
  return Handed{.route = admitted.route.id, .workspace = admitted.workspace, .inquiry = inquiry};
}

// What a call through Sluice comes to: the upstream must grant it, and Sluice must serve it.
bool Handler::serves(const Admitted& admitted, std::string_view permission) {
  const auto& workspace = admitted.options->tables->workspaces[admitted.workspace];
  if (workspace.passthrough != nullptr && may_use_any(admitted.producer, {RouteId::passthrough})) {
    return true;
  }
  if (permission.find("TRANSACTION") != std::string_view::npos) {
    return may_use_any(admitted.producer, {RouteId::transactions, RouteId::transactions_batch});
  }
  return permission.find("EVENT") != std::string_view::npos &&
         may_use_any(admitted.producer,
                     {RouteId::events_batch, RouteId::events_custom, RouteId::events_type});
}

void Handler::tell_permissions(const RequestHead& head, const Admitted& admitted,
                               const Inquiry& inquiry, bool keep_alive, std::string& out) {
  if (!inquiry.answer) {
    const PermissionTrouble& trouble = inquiry.answer.error();
    Problem problem{.refusal = Refusal::bad_upstream,
                    .message = "the upstream does not tell the permissions: " + trouble.why};
    if (!trouble.is_refused) {
      problem = {.refusal = Refusal::upstream_away,
                 .message = "the permissions are not known, as the upstream cannot be asked (" +
                            trouble.why + "): events are taken all the same; ask again later",
                 .retry_after = ask_again_after};
    }
    refuse(head, admitted.route.id, problem, keep_alive, out);
    return;
  }
  deliver::Permissions told{
      .business_profile = known_secrets().redacted(inquiry.answer->business_profile),
      .granted = {}};
  for (const std::string& name : inquiry.names) {
    const auto found = inquiry.answer->granted.find(name);
    told.granted[name] =
        found != inquiry.answer->granted.end() && found->second && serves(admitted, name);
  }
  answers_.permissions(out, answer_head(head, options_->clock->wall_now(), -1, keep_alive), told);
  probe_.count_request(admitted.route.id, 200);
}

}  // namespace sluice::ingest

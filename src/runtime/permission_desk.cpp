#include "permission_desk.hpp"

#include <utility>

#include <boost/asio/steady_timer.hpp>

#include <sluice/event/api_limits.hpp>

namespace sluice::runtime {
namespace {

// Whoever asks waits with a connection; delivery has its own time-outs, which may be longer.
constexpr std::chrono::seconds patience{5};
// More at once are not needed, and would take the place of deliveries.
constexpr std::size_t questions_max = 4;

}  // namespace

void PermissionMemory::keep(const deliver::Permissions& permissions, MonoTime now) {
  if (told_.size() + permissions.granted.size() > names_max) {
    told_.clear();
  }
  business_profile_ = permissions.business_profile;
  for (const auto& [name, is_granted] : permissions.granted) {
    told_[name] = {.is_granted = is_granted, .at = now};
  }
}

std::optional<deliver::Permissions> PermissionMemory::find(std::span<const std::string> names,
                                                           MonoTime since) const {
  if (!business_profile_) {
    return std::nullopt;
  }
  deliver::Permissions found{.business_profile = *business_profile_, .granted = {}};
  for (const std::string& name : names) {
    const auto told = told_.find(name);
    if (told == told_.end() || told->second.at < since) {
      return std::nullopt;
    }
    found.granted[name] = told->second.is_granted;
  }
  return found;
}

struct PermissionDesk::Question {
  Question(const boost::asio::any_io_executor& executor, std::vector<std::string> given,
           std::function<void(ingest::PermissionAnswer)> when_done)
      : names(std::move(given)),
        body(deliver::permission_question(names)),
        done(std::move(when_done)),
        timer(executor, patience) {}

  const std::vector<std::string> names;
  const std::string body;
  std::function<void(ingest::PermissionAnswer)> done;  // empty: it was called
  boost::asio::steady_timer timer;
};

PermissionDesk::PermissionDesk(boost::asio::any_io_executor executor, const Clock& clock,
                               deliver::Upstream& upstream)
    : executor_(std::move(executor)), clock_(clock), upstream_(upstream) {}

void PermissionDesk::ask(std::vector<std::string> names,
                         std::function<void(ingest::PermissionAnswer)> done) {
  if (auto known = memory_.find(names, clock_.mono_now() - PermissionMemory::fresh_for)) {
    done(*std::move(known));
    return;
  }
  const auto question = std::make_shared<Question>(executor_, std::move(names), std::move(done));
  if (asking_ == questions_max) {
    fall_back(*question, {.why = "it is being asked by others"});
    return;
  }
  ++asking_;
  question->timer.async_wait([this, question](const boost::system::error_code& cancelled) {
    if (!cancelled) {
      fall_back(*question, {.why = "it does not answer"});
    }
  });
  upstream_.post(api::permission_check_path, question->body,
                 [this, question](const deliver::UpstreamAnswer& answer) {
                   --asking_;
                   question->timer.cancel();
                   settle(question, answer);
                 });
}

void PermissionDesk::settle(const std::shared_ptr<Question>& question,
                            const deliver::UpstreamAnswer& answer) {
  using deliver::Failure;
  const unsigned status = answer.status;
  if (answer.failure != Failure::none && answer.failure != Failure::credentials) {
    fall_back(*question, {.why = answer.detail});
    return;
  }
  if (status >= 500 || status == 429 || status == 408) {
    fall_back(*question, {.why = "it answers " + std::to_string(status)});
    return;
  }
  ingest::PermissionTrouble trouble{.is_refused = true,
                                    .why = "it answers " + std::to_string(status)};
  if (answer.failure == Failure::credentials || status == 401 || status == 403) {
    trouble.why = "it refuses the workspace's credentials";
  } else if (status / 100 == 2) {
    auto permissions = deliver::parse_permissions(answer.body);
    if (permissions) {
      for (const std::string& name : question->names) {
        permissions->granted.try_emplace(name, false);  // one that it does not know
      }
      memory_.keep(*permissions, clock_.mono_now());
      if (const auto done = std::exchange(question->done, nullptr)) {
        done(*std::move(permissions));
      }
      return;
    }
    trouble.why = permissions.error().message;
  }
  if (const auto done = std::exchange(question->done, nullptr)) {
    done(std::unexpected(std::move(trouble)));
  }
}

// The upstream is away: what it told before still counts.
void PermissionDesk::fall_back(Question& question, ingest::PermissionTrouble trouble) {
  const auto done = std::exchange(question.done, nullptr);
  if (!done) {
    return;
  }
  if (auto known = memory_.find(question.names, MonoTime::min())) {
    done(*std::move(known));
  } else {
    done(std::unexpected(std::move(trouble)));
  }
}

}  // namespace sluice::runtime

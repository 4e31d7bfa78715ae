// What a workspace's key may do upstream: asked of the upstream, and remembered for a while.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <sluice/base/clock.hpp>
#include <sluice/deliver/permissions.hpp>
#include <sluice/deliver/upstream.hpp>
#include <sluice/ingest/permissions.hpp>

namespace sluice::runtime {

// What has been told, and when.
class PermissionMemory {
 public:
  static constexpr std::chrono::seconds fresh_for{60};
  static constexpr std::size_t names_max =
      1'000;  // producers choose them: more, and all are forgotten

  void keep(const deliver::Permissions& permissions, MonoTime now);
  // All of these names; nothing when one was not told at or after `since`.
  [[nodiscard]] std::optional<deliver::Permissions> find(std::span<const std::string> names,
                                                         MonoTime since) const;
  void forget() { *this = {}; }

 private:
  struct Told {
    bool is_granted = false;
    MonoTime at{};
  };
  std::optional<std::string> business_profile_;  // none: nothing was told yet
  std::map<std::string, Told, std::less<>> told_;
};

// Of one workspace, on the delivery thread. An upstream that is away is stood in for by what it
// told last, however long ago.
class PermissionDesk {
 public:
  // `upstream` and `clock` outlive it, and it outlives what is under way upstream.
  PermissionDesk(boost::asio::any_io_executor executor, const Clock& clock,
                 deliver::Upstream& upstream);

  void ask(std::vector<std::string> names, std::function<void(ingest::PermissionAnswer)> done);
  // The key is another one.
  void forget() { memory_.forget(); }

 private:
  struct Question;

  void settle(const std::shared_ptr<Question>& question, const deliver::UpstreamAnswer& answer);
  void fall_back(Question& question, ingest::PermissionTrouble trouble);

  boost::asio::any_io_executor executor_;
  const Clock& clock_;
  deliver::Upstream& upstream_;
  PermissionMemory memory_;
  std::size_t asking_ = 0;
};

}  // namespace sluice::runtime

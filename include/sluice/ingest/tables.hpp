// What the ingest threads look things up in: immutable while requests use it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sluice/accept/acceptor.hpp>
#include <sluice/buffer/admission.hpp>
#include <sluice/buffer/buffer.hpp>
#include <sluice/buffer/dedup_window.hpp>
#include <sluice/config/config.hpp>
#include <sluice/deliver/outlook.hpp>
#include <sluice/ingest/permissions.hpp>
#include <sluice/normalise/mapper.hpp>
#include <sluice/normalise/normaliser.hpp>

namespace sluice::ingest {

struct PassthroughTarget;

// Where a workspace's events go. What is pointed at outlives the tables.
struct WorkspaceTarget {
  std::string name;
  normalise::Rules rules;
  unsigned partial_status = 202;  // when some events of a request were accepted and some rejected
  buffer::Admission* admission = nullptr;
  buffer::Buffer* buffer = nullptr;
  buffer::DedupWindow* dedup = nullptr;
  // When there will be room again; kept up to date by delivery.
  const deliver::Outlook* outlook = nullptr;
  // How far our clock is ahead of its upstream's, in milliseconds, or clock_skew_unknown until the
  // upstream has said its own; kept up to date by delivery.
  // nullptr: nobody compares them.
  const std::atomic<std::int64_t>* clock_skew_ms = nullptr;
  // Where its other API calls go; nothing: nowhere.
  PassthroughTarget* passthrough = nullptr;
  const AskPermissions* permissions = nullptr;
};

[[nodiscard]] inline accept::Intake intake_of(const WorkspaceTarget& workspace) {
  return {.admission = workspace.admission, .buffer = workspace.buffer, .dedup = workspace.dedup};
}

struct SourceTarget {
  std::string name;
  std::size_t workspace = 0;  // index
  std::shared_ptr<const mapping::Mapper> mapper;
  unsigned success_status = 202;
  std::size_t slot = 0;  // of its counter, from 1; given by the server
};

struct Tables {
  std::vector<WorkspaceTarget> workspaces;
  std::vector<SourceTarget> sources;
  config::Passthrough passthrough{};  // limits of what is passed through
};

}  // namespace sluice::ingest

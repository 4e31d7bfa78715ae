// What becomes of a group once the buffer has it, or has failed to keep it.
#pragma once

#include <sluice/buffer/admission.hpp>
#include <sluice/buffer/buffer.hpp>
#include <sluice/buffer/dedup_window.hpp>

namespace sluice::accept {

// Confirms what the window has reserved for a group, or gives that up with the group's room. One
// per workspace; thread-safe. Both outlive it.
class Settlement final : public buffer::Settlement {
 public:
  Settlement(buffer::DedupWindow& window, buffer::Admission& admission)
      : window_(window), admission_(admission) {}

  void kept(const Group& group) noexcept override;
  void refused(const Group& group) noexcept override;

 private:
  buffer::DedupWindow& window_;
  buffer::Admission& admission_;
};

}  // namespace sluice::accept

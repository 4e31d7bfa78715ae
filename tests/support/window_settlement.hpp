// The settlement of a buffer that stands without admission: the window alone is told.
#pragma once

#include <sluice/buffer/buffer.hpp>
#include <sluice/buffer/dedup_window.hpp>

namespace sluice::test {

class WindowSettlement final : public buffer::Settlement {
 public:
  explicit WindowSettlement(buffer::DedupWindow& window) : window_(window) {}
  void kept(const Group& group) noexcept override { window_.confirm(group); }
  void refused(const Group& group) noexcept override { window_.give_up(group); }

 private:
  buffer::DedupWindow& window_;
};

}  // namespace sluice::test

// A part of a workspace's budget that events have been admitted for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <sluice/buffer/admission.hpp>
#include <sluice/event/group.hpp>

namespace sluice::accept {

// Given back when it ends, unless it has been passed on: to a buffer that has taken the events, and
// whose reader gives it back, event by event, as they end.
class Claim {
 public:
  // Room for the group's events and bytes, on its producer's account; nothing: there is none. The
  // admission outlives the claim.
  [[nodiscard]] static std::optional<Claim> try_make(buffer::Admission& admission,
                                                     const Group& group) {
    Claim claim(admission, group);
    if (!admission.try_admit(claim.events_, claim.bytes_, claim.producer_)) {
      claim.pass_on();  // there is nothing to give back
      return std::nullopt;
    }
    return claim;
  }
  // What the buffer was passed with a group that it could not keep.
  [[nodiscard]] static Claim take_back(buffer::Admission& admission, const Group& group) {
    return Claim(admission, group);
  }

  ~Claim() {
    if (admission_ != nullptr) {
      admission_->release_bytes(bytes_, producer_);
      admission_->release_events(events_);
    }
  }
  Claim(Claim&& other) noexcept
      : admission_(std::exchange(other.admission_, nullptr)),
        events_(other.events_),
        bytes_(other.bytes_),
        producer_(other.producer_) {}
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  Claim& operator=(Claim&&) = delete;

  void pass_on() { admission_ = nullptr; }

 private:
  Claim(buffer::Admission& admission, const Group& group)
      : admission_(&admission),
        events_(group.records().size()),
        bytes_(group.footprint_bytes()),
        producer_(group.producer()) {}

  buffer::Admission* admission_;
  std::uint64_t events_;
  std::uint64_t bytes_;
  std::size_t producer_;
};

}  // namespace sluice::accept

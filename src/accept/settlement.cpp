#include <sluice/accept/claim.hpp>
#include <sluice/accept/settlement.hpp>

namespace sluice::accept {

void Settlement::kept(const Group& group) noexcept { window_.confirm(group); }

void Settlement::refused(const Group& group) noexcept {
  window_.give_up(group);
  if (!group.records().empty()) {  // one without events has claimed nothing
    const Claim given_back = Claim::take_back(admission_, group);
  }
}

}  // namespace sluice::accept

#include <chrono>
#include <stdexcept>

#include <date/tz.h>
#include <fmt/format.h>

#include <sluice/normalise/time_zone.hpp>

namespace sluice::normalise {

Result<TimeZone> TimeZone::find(const std::string& name) {
  TimeZone zone;
  try {
    zone.zone_ = date::locate_zone(name);
  } catch (const std::runtime_error&) {
    return failure(std::errc::invalid_argument,
                   fmt::format("the zone \"{}\" is not known: write an IANA name such as "
                               "Europe/London; the package tzdata has them",
                               name));
  }
  return zone;
}

WallTime TimeZone::to_utc(WallTime local) const {
  if (zone_ == nullptr) {
    return local;
  }
  const date::local_seconds local_s(
      std::chrono::floor<std::chrono::seconds>(local).time_since_epoch());
  // In a gap as in an overlap, the offset from before the change gives what is promised.
  return local - zone_->get_info(local_s).first.offset;
}

}  // namespace sluice::normalise

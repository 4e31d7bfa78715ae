// Asks a running gateway, over its admin address.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include <sluice/base/result.hpp>
#include <sluice/config/config.hpp>

namespace sluice::cli {

inline constexpr unsigned status_ok = 200;

struct AdminAnswer {
  unsigned status = 0;
  std::string body;
};

// Blocks, for as long as its patience is at most. One connection per request.
class AdminClient {
 public:
  explicit AdminClient(const config::Admin& admin,
                       std::chrono::milliseconds patience = std::chrono::seconds(30))
      : admin_(admin), patience_(patience) {}

  // The error std::errc::connection_refused says that nobody listens there.
  [[nodiscard]] Result<AdminAnswer> get(std::string_view target) const;
  // JSON, with the token if there is one.
  [[nodiscard]] Result<AdminAnswer> post(std::string_view target, std::string_view body) const;
  // Gives what is answered with status 200 piece by piece, for as long as it comes; with the token
  // if there is one. Another answer is returned. No patience: events may be rare.
  [[nodiscard]] Result<AdminAnswer> stream(std::string_view target,
                                           const std::function<void(std::string_view)>& take) const;
  [[nodiscard]] std::string address() const;

 private:
  const config::Admin admin_;
  const std::chrono::milliseconds patience_;
};

}  // namespace sluice::cli

// Goal: whatever an upstream answers, it is classified, the positions that it names are positions
// of the batch, a wait is within bounds, and a token can stand in a header.
#include <algorithm>
#include <cstdint>

#include <sluice/deliver/classify.hpp>
#include <sluice/deliver/retry_after.hpp>

#include "base_url.hpp"
#include "credentials.hpp"
#include "fuzz_support.hpp"

namespace sluice {
namespace {

constexpr WallTime now{std::chrono::milliseconds(1'714'564'800'000)};

void check_positions(std::string_view body, std::size_t event_count) {
  const auto positions = deliver::rejected_positions(body, event_count);
  fuzz::check(std::ranges::is_sorted(positions), "positions are in order");
  fuzz::check(std::ranges::adjacent_find(positions) == positions.end(), "positions are distinct");
  fuzz::check(positions.empty() || positions.back() < event_count, "positions are of the batch");
}

void check_wait(std::string_view header) {
  if (const auto wait = deliver::parse_retry_after(header, now)) {
    fuzz::check(wait->count() >= 0 && *wait <= deliver::retry_after_max, "a wait is within bounds");
  }
}

void check_token(const deliver::UpstreamAnswer& answer) {
  const auto token = transport::token_in(answer);
  if (!token) {
    fuzz::check(
        answer.body.size() < 16 || token.error().message.find(answer.body) == std::string::npos,
        "an error does not repeat the answer");
    return;
  }
  fuzz::check(
      !token->empty() && std::ranges::all_of(*token, [](char c) { return c > 0x20 && c < 0x7f; }),
      "a token can stand in a header");
  fuzz::check(transport::token_lifetime(*token, now).count() >= 1, "a token lives for a second");
}

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  if (size < 3) {
    return 0;
  }
  deliver::UpstreamAnswer answer;
  answer.status = (data[0] + 256U * data[1]) % 1'000U;
  answer.failure = static_cast<deliver::Failure>(data[2] % 10);
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);
  answer.body = text;
  if ((data[2] & 0x80U) != 0) {
    answer.retry_after = std::string(text.substr(0, text.find('\n')));
  }
  const deliver::Outcome outcome = deliver::classify(answer);
  fuzz::check(outcome != deliver::Outcome::delivered || answer.status / 100 == 2,
              "only a 2xx means delivered");
  check_positions(text, 1 + data[2]);
  check_wait(text);
  check_token(answer);
  if (!text.empty()) {
    fuzz::check(transport::token_lifetime(text, now).count() >= 1, "a token lives for a second");
  }
  static_cast<void>(transport::parse_base_url(text));
  return 0;
}

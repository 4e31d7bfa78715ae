// Goal: whatever bytes come as a body, what comes out is canonical JSON by another judge;
// normalised again it does not change, and every number in it is one that came in, digit for digit.
#include <cstdint>
#include <set>

#include <sluice/normalise/normaliser.hpp>

#include "fuzz_support.hpp"

namespace sluice::normalise {
namespace {

constexpr WallTime now{std::chrono::milliseconds(1'714'564'800'000)};

// What looks like a number anywhere in the text: more than its numbers, and none is missing.
std::set<std::string_view> number_like(std::string_view text) {
  constexpr std::string_view of_numbers = "+-.0123456789eE";
  std::set<std::string_view> found;
  for (std::size_t at = 0;
       (at = text.find_first_of("-0123456789", at)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_not_of(of_numbers, at), text.size());
    found.insert(text.substr(at, end - at));
    at = end;
  }
  return found;
}

void run(std::string_view body, const Request& request, const Rules& rules, Normalised& out,
         bool& read) {
  static Normaliser normaliser{Rng(1)};
  out.clear();
  // On the heap, and as long as promised: a byte too far is found.
  std::string padded(body);
  padded.resize(body.size() + Normaliser::padding_bytes, ']');
  padded.shrink_to_fit();
  read = normaliser.run(std::span(padded).first(body.size()), request, rules, out).has_value();
}

void check_event(std::string_view json, const Request& request, const Rules& rules,
                 const std::set<std::string_view>& numbers) {
  fuzz::CompactJson judge(json);
  fuzz::check(judge.is_valid(), "what comes out is compact JSON", json);
  fuzz::check(!judge.has_null(), "no null comes out", json);
  fuzz::check(json.size() <= rules.event_bytes_max, "an event is within its limit", json);
  for (const std::string_view number : judge.numbers()) {
    fuzz::check(numbers.contains(number), "numbers come out as they came in", json);
  }
  Request again = request;
  again.framing = Framing::object_or_array;
  if (request.kind == EventKind::event) {
    again.type.reset();
  }
  bool read = false;
  Normalised out;
  run(json, again, rules, out, read);
  fuzz::check(read && out.records.size() == 1, "canonical JSON is accepted", json);
  fuzz::check(out.bytes().substr(out.records[0].offset, out.records[0].size) == json,
              "normalising twice changes nothing", json);
}

}  // namespace
}  // namespace sluice::normalise

// The first byte says how the rest is read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  using namespace sluice::normalise;
  if (size == 0) {
    return 0;
  }
  const std::uint8_t how = data[0];
  Rules rules;
  rules.strict = (how & 1U) == 0;
  rules.generated_salts = (how & 2U) == 0;
  rules.event_bytes_max = (how & 4U) == 0 ? 256U << 10 : 200;
  Request request;
  request.received_at = now;
  request.framing = static_cast<Framing>((how >> 3U) % 3);
  request.kind = (how & 0x20U) == 0 ? EventKind::event : EventKind::transaction;
  if ((how & 0x40U) != 0 && request.kind == EventKind::event) {
    request.type = EventType::custom;
  }
  request.idempotency_key = (how & 0x80U) == 0 ? "" : "a key";
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);

  Normalised out;
  bool read = false;
  run(body, request, rules, out, read);
  if (!read) {
    return 0;
  }
  fuzz::check(
      out.records.size() == out.indexes.size() && out.records.size() == out.dedup_keys.size(),
      "each event has an index and may have a key");
  fuzz::check(out.rejections.empty() == (out.rejected_events == 0), "a rejection says why");
  const std::set<std::string_view> numbers = number_like(body);
  for (const EventRecord& record : out.records) {
    check_event(out.bytes().substr(record.offset, record.size), request, rules, numbers);
  }
  return 0;
}

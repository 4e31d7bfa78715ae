// Goal: whatever an upstream answers, it is read to the same end in pieces of any size, it is
// classified, the positions that it names are positions of the batch, a wait is within bounds, and
// a token can stand in a header.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include <boost/beast/http/error.hpp>

#include <sluice/deliver/judge.hpp>
#include <sluice/deliver/retry_after.hpp>

#include "answer_reader.hpp"
#include "base_url.hpp"
#include "credentials.hpp"
#include "fuzz_support.hpp"

namespace sluice {
namespace {

constexpr WallTime now{std::chrono::milliseconds(1'714'564'800'000)};

void check_judgement(const deliver::UpstreamAnswer& answer, std::size_t event_count) {
  const auto [outcome, positions] = deliver::judge(answer, event_count, {});
  fuzz::check(outcome != deliver::Outcome::delivered || answer.status / 100 == 2,
              "only a 2xx means delivered");
  fuzz::check((outcome == deliver::Outcome::partially_delivered) == !positions.empty() &&
                  positions.size() < event_count,
              "some of the batch are named, and others not");
  fuzz::check(std::ranges::is_sorted(positions), "positions are in order");
  fuzz::check(std::ranges::adjacent_find(positions) == positions.end(), "positions are distinct");
  fuzz::check(positions.empty() || positions.back() < event_count, "positions are of the batch");
  fuzz::check(outcome != deliver::Outcome::delivered ||
                  answer.body.find_first_not_of(" \t\r\n") != 0 || answer.body.front() != '<',
              "a page is no delivery");
}

void check_wait(std::string_view header) {
  if (const auto wait = deliver::parse_retry_after(header, now)) {
    fuzz::check(wait->count() >= 0 && *wait <= deliver::retry_after_max, "a wait is within bounds");
  }
}

void check_token(const deliver::UpstreamAnswer& answer) {
  const auto token = transport::token_in(answer);
  if (!token) {
    fuzz::check(answer.body.size() < 16 || answer.body.starts_with('<') ||
                    token.error().message.find(answer.body) == std::string::npos,
                "an error does not repeat the answer, but for a page");
    return;
  }
  fuzz::check(
      !token->empty() && std::ranges::all_of(*token, [](char c) { return c > 0x20 && c < 0x7f; }),
      "a token can stand in a header");
  fuzz::check(transport::token_lifetime(*token, now).count() >= 1, "a token lives for a second");
}

// How a connection's bytes end: with the answer, amid it or by the connection's end.
struct Read {
  deliver::UpstreamAnswer answer;
  boost::system::error_code error;
  bool keeps_alive = false;
  std::size_t consumed_bytes = 0;
};

Read read_in_pieces(std::string_view bytes, std::size_t piece_bytes) {
  constexpr auto need_more = boost::beast::http::error::need_more;
  Read read;
  transport::AnswerReader reader(read.answer);
  boost::beast::flat_buffer received(transport::AnswerReader::received_bytes_max);
  std::size_t given_bytes = 0;
  read.error = reader.take(received);
  while (read.error == need_more && given_bytes < bytes.size()) {
    const std::string_view piece = bytes.substr(given_bytes, piece_bytes);
    std::memcpy(received.prepare(piece.size()).data(), piece.data(), piece.size());
    received.commit(piece.size());
    given_bytes += piece.size();
    read.error = reader.take(received);
  }
  if (read.error == need_more) {
    read.error = reader.end();
  }
  read.keeps_alive = !read.error && reader.keeps_alive();
  read.consumed_bytes = given_bytes - received.size();
  return read;
}

void check_answer(std::string_view bytes, std::size_t piece_bytes) {
  const Read whole = read_in_pieces(bytes, bytes.size());
  const Read cut = read_in_pieces(bytes, piece_bytes);
  fuzz::check(whole.answer.status == cut.answer.status, "the status is the same in pieces");
  fuzz::check(whole.answer.body == cut.answer.body, "the body is the same in pieces");
  fuzz::check(whole.answer.body_is_cut == cut.answer.body_is_cut, "so is whether it is all of it");
  fuzz::check(!whole.keeps_alive || !whole.answer.body_is_cut, "a whole answer has a whole body");
  fuzz::check(whole.answer.retry_after == cut.answer.retry_after, "so is the wait");
  // In pieces Beast may look at a line only when it is whole, and then finds less of what is wrong.
  fuzz::check(whole.error.failed() == cut.error.failed(), "so is whether it came to its end");
  fuzz::check(whole.keeps_alive == cut.keeps_alive, "so is what becomes of the connection");
  fuzz::check(!whole.keeps_alive || whole.consumed_bytes == cut.consumed_bytes,
              "what follows is the same in pieces");
  fuzz::check(whole.answer.status / 100 != 1, "what is only on the way is no answer");
  fuzz::check(whole.answer.status != 0 || whole.error, "an answer has a status");
  fuzz::check(whole.answer.body.size() <= deliver::answer_body_bytes_max, "a body is bounded");
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
  answer.failure = static_cast<deliver::Failure>(data[2] % 11);
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);
  if ((data[2] & 0x40U) != 0) {
    check_answer(text, 1 + data[0]);
    return 0;
  }
  answer.body = text;
  if ((data[2] & 0x80U) != 0) {
    answer.retry_after = std::string(text.substr(0, text.find('\n')));
  }
  check_judgement(answer, 1 + data[2]);
  check_wait(text);
  check_token(answer);
  if (!text.empty()) {
    fuzz::check(transport::token_lifetime(text, now).count() >= 1, "a token lives for a second");
  }
  static_cast<void>(transport::parse_base_url(text));
  return 0;
}

// Goal: what a check of the outside has found is one line each, the same as JSON, and an exit code
// that says whether to wait or to change something.
#include "findings.hpp"

#include <chrono>
#include <vector>

#include <gtest/gtest.h>

#include "online_check.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;
using Verdict = Finding::Verdict;

const Finding fine{.of = "shop", .what = "dns", .verdict = Verdict::fine, .detail = "a: 1.2.3.4"};
const Finding doubtful{
    .of = "other", .what = "clock", .verdict = Verdict::doubtful, .detail = "3.0 s\nbehind"};
const Finding unavailable{
    .of = "shop", .what = "tls", .verdict = Verdict::unavailable, .detail = "\"refused\""};
const Finding misconfigured{
    .of = "shop", .what = "login", .verdict = Verdict::misconfigured, .detail = "401"};

TEST(Findings, AreALineEach) {
  EXPECT_EQ(to_lines(std::vector{fine, doubtful}),
            "ok             shop   dns    a: 1.2.3.4\n"
            "doubtful       other  clock  3.0 s behind\n");
  EXPECT_EQ(to_lines({}), "");
}

TEST(Findings, AreJson) {
  EXPECT_EQ(to_json({}), "{\"ok\":true,\"findings\":[]}\n");
  EXPECT_EQ(to_json(std::vector{fine, unavailable}),
            R"({"ok":false,"findings":[{"of":"shop","what":"dns","verdict":"ok",)"
            R"("detail":"a: 1.2.3.4"},{"of":"shop","what":"tls","verdict":"unavailable",)"
            "\"detail\":\"\\\"refused\\\"\"}]}\n");
}

TEST(Findings, TheExitCodeSaysWhetherWaitingHelps) {
  EXPECT_EQ(exit_code_of({}), 0);
  EXPECT_EQ(exit_code_of(std::vector{fine, doubtful}), 0);
  EXPECT_EQ(exit_code_of(std::vector{fine, unavailable}), 69);
  EXPECT_EQ(exit_code_of(std::vector{unavailable, misconfigured}), 78);
}

TEST(OnlineCheck, AnEmptyBatchTellsWhetherTheKeyMaySendOne) {
  const auto verdict = [](unsigned status, std::string content_type = {}, std::string body = {}) {
    deliver::UpstreamAnswer answer;
    answer.status = status;
    answer.content_type = std::move(content_type);
    answer.body = std::move(body);
    return judge_empty_batch("/p", answer, {}).verdict;
  };
  for (const unsigned status : {200U, 202U, 204U, 400U, 422U}) {
    EXPECT_EQ(verdict(status), Verdict::fine) << status;
  }
  for (const unsigned status : {203U, 301U, 401U, 403U, 404U, 405U, 407U, 410U, 413U, 415U}) {
    EXPECT_EQ(verdict(status), Verdict::misconfigured) << status;
  }
  for (const unsigned status : {408U, 425U, 429U, 500U, 502U, 503U, 599U}) {
    EXPECT_EQ(verdict(status), Verdict::unavailable) << status;
  }
  EXPECT_EQ(verdict(200, "text/html", "<html>Sign in</html>"), Verdict::misconfigured);
  EXPECT_EQ(verdict(200, "", "OK"), Verdict::misconfigured);
  EXPECT_EQ(verdict(200, "application/json", R"({"status":401})"), Verdict::misconfigured);
  EXPECT_EQ(verdict(200, "application/json", R"({"status":503})"), Verdict::unavailable);
  EXPECT_EQ(verdict(200, "application/json", R"({"status":400,"error":"it is empty"})"),
            Verdict::fine);
}

TEST(OnlineCheck, AClockIsFineWithinWhatADateCanTell) {
  EXPECT_EQ(judge_clock(0ms).verdict, Verdict::fine);
  EXPECT_EQ(judge_clock(-2s).verdict, Verdict::fine);
  EXPECT_EQ(judge_clock(2001ms).verdict, Verdict::doubtful);
  EXPECT_EQ(judge_clock(-5min).verdict, Verdict::doubtful);
  EXPECT_EQ(judge_clock(5min + 1ms).verdict, Verdict::misconfigured);
  EXPECT_EQ(judge_clock(-301s).detail,
            "this machine's clock is 301.0 s behind the API's: let it follow a time server");
}

}  // namespace
}  // namespace sluice::cli

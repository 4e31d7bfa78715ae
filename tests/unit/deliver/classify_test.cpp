// Every answer has one outcome, every outcome its row, and a 207 is read for the events that it
// names.
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/deliver/classify.hpp>

namespace sluice::deliver {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

UpstreamAnswer with_status(unsigned status) {
  UpstreamAnswer answer;
  answer.status = status;
  return answer;
}

TEST(Classify, Statuses) {
  struct Case {
    Outcome outcome;
    std::vector<unsigned> statuses;
  };
  const std::vector<Case> cases = {
      {Outcome::delivered, {200, 201, 202, 204, 299}},
      {Outcome::partially_delivered, {207}},
      {Outcome::throttled, {429}},
      {Outcome::transient, {408, 425, 500, 501, 502, 503, 504, 599}},
      {Outcome::ambiguous, {0, 100, 199, 600, 999}},
      {Outcome::too_large, {413}},
      {Outcome::rejected, {400, 409, 418, 422, 499}},
      {Outcome::unauthorised, {401, 403}},
      {Outcome::misrouted, {300, 301, 302, 304, 307, 308, 402, 404, 405, 406, 407, 410, 415}},
  };
  for (const Case& c : cases) {
    for (const unsigned status : c.statuses) {
      EXPECT_EQ(classify(with_status(status)), c.outcome) << status;
    }
  }
}

TEST(Classify, A503WithRetryAfterAsksToWait) {
  UpstreamAnswer answer = with_status(503);
  answer.retry_after = "5";
  EXPECT_EQ(classify(answer), Outcome::throttled);
  answer.status = 500;
  EXPECT_EQ(classify(answer), Outcome::transient);
}

TEST(Classify, Failures) {
  const std::vector<std::pair<Failure, Outcome>> cases = {
      {Failure::resolve, Outcome::transient},
      {Failure::connect, Outcome::transient},
      {Failure::tls, Outcome::transient},
      {Failure::not_sent, Outcome::transient},
      {Failure::no_answer, Outcome::ambiguous},
      {Failure::answer_timeout, Outcome::ambiguous},
      {Failure::malformed_answer, Outcome::ambiguous},
      {Failure::credentials, Outcome::unauthorised},
      {Failure::stopped, Outcome::stopped},
  };
  for (const auto& [failure, outcome] : cases) {
    UpstreamAnswer answer;
    answer.failure = failure;
    EXPECT_EQ(classify(answer), outcome) << static_cast<int>(failure);
  }
}

TEST(Classify, OutcomesHaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const OutcomeInfo& outcome : outcomes()) {
    EXPECT_EQ(&info(outcome.outcome), &outcome);
    names.insert(outcome.name);
  }
  EXPECT_EQ(names.size(), outcome_count);
}

std::vector<std::size_t> positions_in(std::string_view body, std::size_t event_count,
                                      bool is_cut = false) {
  UpstreamAnswer answer;
  answer.status = 207;
  answer.body = body;
  answer.body_is_cut = is_cut;
  return rejected_positions(answer, event_count);
}

TEST(Classify, RejectedPositions) {
  EXPECT_THAT(positions_in(R"([{"index":3},{"index":1},{"index":3}])", 5), ElementsAre(1, 3));
  EXPECT_THAT(positions_in(R"({"status":207,"errors":[{"field":"[2].client.email"}]})", 5),
              ElementsAre(2));
  EXPECT_THAT(positions_in(R"({"errors":[{"field":"products[2].sku"}]})", 5), IsEmpty())
      << "the product's position is not the event's";
  EXPECT_THAT(positions_in(R"({"errors":[{"field":"events[0]"},{"code":7}]})", 5), ElementsAre(0));
}

TEST(Classify, ABodyThatNamesAnEventThatIsNotThereRejectsAll) {
  EXPECT_THAT(positions_in(R"([{"index":3}])", 3), ElementsAre(0, 1, 2)) << "counts from one";
  EXPECT_THAT(positions_in(R"({"errors":[{"field":"[0]"},{"field":"[18446744073709551615]"}]})", 2),
              ElementsAre(0, 1));
  EXPECT_THAT(positions_in(R"([{"index":1}])", 1), ElementsAre(0));
}

TEST(Classify, ABodyThatNamesNoEventRejectsNone) {
  for (const std::string_view body : {
           "",
           "oops",
           "{}",
           "[]",
           "null",
           "[1,2]",
           R"({"errors":{}})",
           R"([{"index":-1}])",
           R"([{"index":"1"}])",
           R"([{"field":"[x]"}])",
           R"([{"field":"[1"}])",
       }) {
    EXPECT_THAT(positions_in(body, 5), IsEmpty()) << body;
  }
}

TEST(Classify, AListThatDoesNotEndRejectsAll) {
  for (const std::string_view body :
       {R"([{"index":1},{"ind)", R"( {"errors":[{"index":0}])", "[", "{oops}"}) {
    EXPECT_THAT(positions_in(body, 3), ElementsAre(0, 1, 2)) << body;
  }
  for (const std::string_view body : {"", "oo", R"({"errors":[)"}) {
    EXPECT_THAT(positions_in(body, 2, true), ElementsAre(0, 1)) << body;
  }
  EXPECT_THAT(positions_in(R"([{"index":1}])", 2, true), ElementsAre(1)) << "nothing is missing";
}

}  // namespace
}  // namespace sluice::deliver

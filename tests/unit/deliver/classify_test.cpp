// Every answer has one outcome, and every outcome its row.
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include <sluice/deliver/classify.hpp>

namespace sluice::deliver {
namespace {

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
      {Failure::wrong_login, Outcome::misrouted},
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

}  // namespace
}  // namespace sluice::deliver

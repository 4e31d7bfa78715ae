// Goal: a connection's state machine asks for the right next step, however the bytes are cut and
// whenever the buffer acknowledges; without a socket.
#include "session.hpp"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::ingest {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;
using Next = Session::Next;

class FakeClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall_now() const override { return WallTime(1'714'564'800'000ms); }
  [[nodiscard]] MonoTime mono_now() const override { return MonoTime(1h); }
};

// Takes groups, and acknowledges at once or when the test says so.
class FakeBuffer final : public buffer::Buffer {
 public:
  explicit FakeBuffer(buffer::DedupWindow& given) : window(given) {}
  [[nodiscard]] buffer::AckLevel level() const override { return buffer::AckLevel::disk; }
  [[nodiscard]] bool append(std::size_t, Group::Owner group, buffer::AckLevel wanted,
                            Acknowledge later) override {
    levels.push_back(wanted);
    if (at_once) {
      window.confirm(group->dedup_keys());
      if (group->answer()) {
        window.remember(*group->answer(), group->accepted_at());
      }
    }
    groups.push_back(std::move(group));
    acknowledge = std::move(later);
    return at_once;
  }
  void read(std::vector<Group::Owner>&, std::size_t) override {}
  void release(Group::Owner) override {}
  [[nodiscard]] bool try_sleep() override { return true; }
  [[nodiscard]] std::string trouble() const override { return {}; }

  buffer::DedupWindow& window;
  std::vector<buffer::AckLevel> levels;
  bool at_once = true;
  std::vector<Group::Owner> groups;
  Acknowledge acknowledge;
};

class SessionTest : public testing::Test {
 protected:
  SessionTest() {
    tables_.workspaces.push_back({.name = "w",
                                  .rules = {},
                                  .admission = &admission_,
                                  .buffer = &buffer_,
                                  .dedup = &dedup_,
                                  .retry_after_s = &retry_after_s_});
    probe_.emplace(tables_);
    handler_.emplace(options_, 0, Rng(1), *probe_);
    session_.emplace(*handler_, limits_,
                     [this](const Result<void>& outcome) { acknowledged_ = outcome; });
  }

  void feed(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::span<char> space = session_->free_space();
      const std::size_t count = std::min(space.size(), bytes.size());
      std::memcpy(space.data(), bytes.data(), count);
      session_->received(count);
      bytes.remove_prefix(count);
    }
  }
  Next next() { return session_->next(MonoTime(1h)); }
  // What the session wants to write, which is then written.
  std::string written() {
    std::string out = session_->output();
    session_->written();
    return out;
  }

  static std::string request(std::string_view body, std::string_view headers = "") {
    return "POST /v4/events/batch HTTP/1.1\r\nHost: x\r\n" + std::string(headers) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
  }
  static constexpr std::string_view good = R"({"type":"hit-timer","client":{"id":1}})";

  FakeClock clock_;
  buffer::Admission admission_{{}};
  buffer::DedupWindow dedup_{{.window = 1min, .entries_max = 1000}};
  FakeBuffer buffer_{dedup_};
  std::atomic<std::uint32_t> retry_after_s_{1};
  Tables tables_;
  Producers producers_{{}, {"w"}};
  std::atomic<bool> draining_{false};
  HandlerOptions options_{.clock = &clock_,
                          .tables = &tables_,
                          .producers = &producers_,
                          .draining = &draining_,
                          .reject_request_on_invalid = false,
                          .body_bytes_max = 100'000};
  SessionLimits limits_{.head_bytes_max = 4096,
                        .head_timeout = 10s,
                        .body_timeout = 60s,
                        .idle_timeout = 75s,
                        .write_timeout = 30s};
  std::optional<Probe> probe_;
  std::optional<Handler> handler_;
  std::optional<Session> session_;
  std::optional<Result<void>> acknowledged_;
};

TEST_F(SessionTest, AnswersARequestThatComesByteByByte) {
  EXPECT_EQ(next(), Next::read);
  EXPECT_TRUE(session_->idle());
  EXPECT_EQ(session_->deadline(), MonoTime(1h) + 75s);
  const std::string bytes = request(good);
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    feed(bytes.substr(i, 1));
    ASSERT_EQ(next(), Next::read) << i;
    ASSERT_FALSE(session_->idle());
    ASSERT_LT(session_->deadline(), MonoTime(1h) + 75s);
  }
  feed(bytes.substr(bytes.size() - 1));
  ASSERT_EQ(next(), Next::write);
  EXPECT_THAT(written(), StartsWith("HTTP/1.1 202 Accepted\r\n"));
  EXPECT_EQ(next(), Next::read);
  EXPECT_EQ(buffer_.groups.size(), 1);
}

TEST_F(SessionTest, AnswersAChunkedRequestHoweverItIsCut) {
  std::string bytes =
      "POST /v4/events/batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  bytes += "5;of=many\r\n" + std::string(good.substr(0, 5)) + "\r\n21\r\n" +
           std::string(good.substr(5)) + "\r\n0\r\nTrailer: x\r\n\r\n";
  ASSERT_EQ(good.size(), 5 + 0x21);
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    feed(bytes.substr(0, cut));
    ASSERT_EQ(next(), Next::read) << cut;
    for (std::size_t i = cut; i + 1 < bytes.size(); ++i) {
      feed(bytes.substr(i, 1));
      ASSERT_EQ(next(), Next::read) << cut << ' ' << i;
    }
    feed(bytes.substr(bytes.size() - 1));
    ASSERT_EQ(next(), Next::write) << cut;
    EXPECT_THAT(written(), StartsWith("HTTP/1.1 202 Accepted\r\n"));
  }
}

TEST_F(SessionTest, AnswersPipelinedRequestsWithOneWrite) {
  feed(request(good) + request(good) + request(good) + "POST ");
  ASSERT_EQ(next(), Next::write);
  const std::string out = written();
  std::size_t answers = 0;
  for (std::size_t at = 0; (at = out.find("HTTP/1.1 202", at)) != std::string::npos; ++at) {
    ++answers;
  }
  EXPECT_EQ(answers, 3);
  EXPECT_EQ(next(), Next::read);
}

TEST_F(SessionTest, WaitsForTheBufferToAcknowledge) {
  buffer_.at_once = false;
  feed(request(good) + request(good));
  ASSERT_EQ(next(), Next::acknowledge);
  EXPECT_EQ(next(), Next::acknowledge) << "the second request waits for the first";
  buffer_.acknowledge({});
  ASSERT_TRUE(acknowledged_);
  session_->acknowledged(*acknowledged_);
  ASSERT_EQ(next(), Next::write);
  EXPECT_THAT(written(), StartsWith("HTTP/1.1 202"));
  ASSERT_EQ(next(), Next::acknowledge);
  session_->acknowledged(failure(std::errc::no_space_on_device, "the disk is full"));
  ASSERT_EQ(next(), Next::write);
  EXPECT_THAT(written(), StartsWith("HTTP/1.1 503"));
}

TEST_F(SessionTest, ARetryIsNoDuplicateOfWhatIsNotStoredYet) {
  const std::string salted = request(R"([{"type":"hit-timer","eventSalt":"s","client":{"id":1}}])");
  buffer_.at_once = false;
  feed(salted);
  ASSERT_EQ(next(), Next::acknowledge);

  Session other(*handler_, limits_, [](const Result<void>&) {});
  std::memcpy(other.free_space().data(), salted.data(), salted.size());
  other.received(salted.size());
  ASSERT_EQ(other.next(MonoTime(1h)), Next::write);
  EXPECT_THAT(other.output(), testing::AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("Retry-After")));

  dedup_.give_up(buffer_.groups.front()->dedup_keys());
  session_->acknowledged(failure(std::errc::no_space_on_device, "the disk is full"));
  ASSERT_EQ(next(), Next::write);
  EXPECT_THAT(written(), StartsWith("HTTP/1.1 503"));
  EXPECT_EQ(admission_.events(), 0);
  EXPECT_EQ(admission_.bytes(), 0);
  buffer_.at_once = true;
  feed(salted);
  ASSERT_EQ(next(), Next::write);
  EXPECT_THAT(written(), HasSubstr(R"({"accepted":1,"rejected":0,"duplicates":0)"));
}

TEST_F(SessionTest, GivesARepeatedRequestTheSameAnswer) {
  const std::string keyed = request(R"([{"type":"hit-timer","client":{"id":1}},
                                        {"type":"hit-timer","client":{}}])",
                                    "Idempotency-Key: k\r\n");
  for (int i = 0; i < 2; ++i) {
    feed(keyed);
    ASSERT_EQ(next(), Next::write);
    EXPECT_THAT(written(), HasSubstr(R"({"accepted":1,"rejected":1,"duplicates":0)")) << i;
  }
  EXPECT_EQ(buffer_.groups.size(), 1);
}

TEST_F(SessionTest, AsksTheBufferForTheLevelThatTheRequestPrefers) {
  feed(request(good) + request(good, "Prefer: respond-async, sluice-ack=memory\r\n"));
  ASSERT_EQ(next(), Next::write);
  EXPECT_THAT(written(), HasSubstr("Preference-Applied: sluice-ack=memory\r\n"));
  EXPECT_THAT(buffer_.levels,
              testing::ElementsAre(buffer::AckLevel::disk, buffer::AckLevel::memory));
}

TEST_F(SessionTest, KeepsTheConnectionWhenARefusedBodyIsSmallAndClosesWhenItIsLarge) {
  feed("POST /nowhere HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345" + request(good));
  ASSERT_EQ(next(), Next::write);
  EXPECT_THAT(written(), testing::AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("HTTP/1.1 202")));
  feed("POST /nowhere HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n");
  ASSERT_EQ(next(), Next::write);
  EXPECT_THAT(written(),
              testing::AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("Connection: close")));
  EXPECT_EQ(next(), Next::close);
}

TEST_F(SessionTest, WhileDrainingItRefusesAndCloses) {
  draining_ = true;
  feed(request(good));
  ASSERT_EQ(next(), Next::write);
  EXPECT_THAT(written(), testing::AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("Retry-After: "),
                                        HasSubstr("Connection: close")));
  EXPECT_EQ(next(), Next::close);
  EXPECT_TRUE(buffer_.groups.empty());
}

TEST_F(SessionTest, AnIdleConnectionClosesWhileDraining) {
  EXPECT_EQ(next(), Next::read);
  draining_ = true;
  EXPECT_EQ(next(), Next::close);
}

TEST_F(SessionTest, HonoursConnectionCloseAndHttp10) {
  feed(request(good, "Connection: close\r\n"));
  ASSERT_EQ(next(), Next::write);
  EXPECT_THAT(written(), HasSubstr("Connection: close"));
  EXPECT_EQ(next(), Next::close);
}

TEST_F(SessionTest, ATimedOutRequestIsAnswered408AndAnIdleConnectionJustCloses) {
  feed("POST /v4/ev");
  ASSERT_EQ(next(), Next::read);
  session_->timed_out();
  ASSERT_EQ(next(), Next::write);
  EXPECT_THAT(written(), StartsWith("HTTP/1.1 408"));
  EXPECT_EQ(next(), Next::close);
}

TEST_F(SessionTest, EchoesAUsableRequestIdAndMakesOneOtherwise) {
  feed(request(good, "X-Request-Id: my-id\r\n"));
  ASSERT_EQ(next(), Next::write);
  EXPECT_THAT(written(), HasSubstr("\r\nX-Request-Id: my-id\r\n"));
  feed(request(good, "X-Request-Id: " + std::string(200, 'x') + "\r\n"));
  ASSERT_EQ(next(), Next::write);
  EXPECT_THAT(written(), testing::Not(HasSubstr("xxxx")));
}

}  // namespace
}  // namespace sluice::ingest

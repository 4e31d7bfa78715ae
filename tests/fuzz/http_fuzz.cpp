// Goal: whatever a client sends, and however the network cuts it, a connection's state machine
// comes to an end, answers in valid HTTP, and answers the same, takes the same events in and passes
// the same requests through. And whatever an upstream answers to those, the same comes back.
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <sluice/accept/settlement.hpp>
#include <sluice/ingest/passthrough.hpp>

#include "answer_parser.hpp"
#include "fuzz_support.hpp"
#include "passthrough.hpp"
#include "session.hpp"

namespace sluice::ingest {
namespace {

using namespace std::chrono_literals;
using Next = Session::Next;

constexpr std::string_view interim = "HTTP/1.1 100 Continue\r\n\r\n";

class StoppedClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall_now() const override { return WallTime(1'714'564'800'000ms); }
  [[nodiscard]] MonoTime mono_now() const override { return MonoTime(1h); }
};

// Keeps the bytes of what it takes in.
class Recorder final : public buffer::Buffer {
 public:
  Recorder(buffer::Settlement& settlement, bool at_once)
      : settlement_(settlement), at_once_(at_once) {}
  [[nodiscard]] buffer::AckLevel level() const override { return buffer::AckLevel::disk; }
  [[nodiscard]] bool append(std::size_t, Group::Owner group, buffer::AckLevel,
                            Acknowledge) noexcept override {
    settlement_.kept(*group);
    taken += group->bytes();
    return at_once_;
  }
  [[nodiscard]] bool await_earlier(std::size_t, buffer::AckLevel, Acknowledge) noexcept override {
    return true;
  }
  void read(std::vector<Group::Owner>&, std::size_t) override {}
  void release(Group::Owner) override {}
  [[nodiscard]] bool try_sleep() override { return true; }
  [[nodiscard]] std::string trouble() const override { return {}; }

  std::string taken;

 private:
  buffer::Settlement& settlement_;
  bool at_once_;
};

std::shared_ptr<const mapping::Mapper> make_mapper() {
  mapping::Source source{.name = "raw", .workspace = "w", .rules = {}};
  mapping::Rule& rule = source.rules.emplace_back();
  const auto member = [](std::string name, auto form) {
    return mapping::Member{
        std::move(name),
        mapping::Value{std::move(form), {}, false, std::nullopt, std::nullopt, std::nullopt}};
  };
  mapping::Object client;
  client.members.push_back(member("customId", mapping::From{"/c"}));
  rule.shape.members.push_back(member("action", mapping::Constant{"\"a\""}));
  rule.shape.members.push_back(member("client", std::move(client)));
  rule.shape.members.push_back(member("params", mapping::From{"/p"}));
  auto mapper = mapping::Mapper::compile(source);
  fuzz::check(mapper.has_value(), "the rules compile");
  return std::make_shared<const mapping::Mapper>(std::move(*mapper));
}

// Everything behind one connection, the same each time.
struct World {
  explicit World(std::uint8_t how)
      : buffer(settlement, (how & 1U) == 0),
        producers((how & 2U) == 0 ? std::vector<config::Producer>{}
                                  : std::vector<config::Producer>{{.name = "p",
                                                                   .keys = {{"key", ""}},
                                                                   .workspace = "w"}},
                  {"w"}) {
    static const auto mapper = make_mapper();
    tables.workspaces.push_back({.name = "w",
                                 .rules = {},
                                 .admission = &admission,
                                 .buffer = &buffer,
                                 .dedup = &dedup,
                                 .outlook = &outlook});
    tables.sources.push_back({.name = "raw", .workspace = 0, .mapper = mapper});
    tables.passthrough.max_body_bytes = 4U << 10;
    if ((how & 4U) != 0) {
      tables.workspaces.front().passthrough = &passthrough;
      options.keep_whole =
          producers.anonymous() ? KeepWhole::unrouted_or_login : KeepWhole::unrouted;
    }
    probe = std::make_unique<Probe>(tables);
    handler = std::make_unique<Handler>(options, 0, Rng(1), *probe);
    session = std::make_unique<Session>(*handler, limits, [](const Result<void>&) {});
  }

  StoppedClock clock;
  buffer::Admission admission{{.producers = 1}};
  buffer::DedupWindow dedup{{.window = 1min, .entries_max = 1000}};
  accept::Settlement settlement{dedup, admission};
  Recorder buffer;
  deliver::Outlook outlook;
  PassthroughTarget passthrough;
  Tables tables;
  Producers producers;
  std::atomic<bool> draining{false};
  HandlerOptions options{.clock = &clock,
                         .tables = &tables,
                         .producers = &producers,
                         .draining = &draining,
                         .reject_request_on_invalid = false,
                         .body_bytes_max = 8U << 10};
  SessionLimits limits{.head_bytes_max = 1024,
                       .head_timeout = 10s,
                       .body_timeout = 60s,
                       .idle_timeout = 75s,
                       .write_timeout = 30s};
  std::unique_ptr<Probe> probe;
  std::unique_ptr<Handler> handler;
  std::unique_ptr<Session> session;
};

struct Exchange {
  std::string out;
  std::string taken;
  std::string passed;  // whole requests
};

// What would go to the upstream.
std::string passed_head(const Session& session) {
  RequestRewrite rewrite{.host = "upstream", .framing = {}};
  if (session.admitted().with_credentials) {
    rewrite.authorization = "Bearer w";
  }
  std::string head = upstream_request_head(session.head(), rewrite);
  fuzz::check(head.find("\r\n\r\n") == head.size() - 4, "a head is one head", head);
  for (std::size_t at = 0; (at = head.find_first_of("\r\n", at)) != std::string::npos; at += 2) {
    fuzz::check(head.compare(at, 2, "\r\n") == 0, "a line ends in one way", head);
  }
  return head;
}

// Does what the session asks for until it wants more than there is.
Exchange exchange(std::uint8_t how, std::string_view bytes, const auto& next_cut) {
  World world(how);
  Session& session = *world.session;
  Exchange done;
  std::string body;
  const auto read = [&] {
    const std::span<char> space = session.free_space();
    fuzz::check(space.size() <= 64U << 10, "a connection's memory is bounded");
    const std::size_t count =
        std::min({space.size(), bytes.size(), std::max<std::size_t>(next_cut(), 1)});
    std::memcpy(space.data(), bytes.data(), count);
    session.received(count);
    bytes.remove_prefix(count);
  };
  // A session that makes no progress would never end; each byte and each answer is progress.
  for (std::size_t steps = 4 * bytes.size() + 64; true; --steps) {
    fuzz::check(steps > 0, "a session comes to an end");
    switch (session.next(MonoTime(1h))) {
      case Next::close:
        done.taken = world.buffer.taken;
        return done;
      case Next::write:
        done.out += session.output();
        session.written();
        break;
      case Next::examine:
        session.examine(*world.handler);
        session.examined();
        break;
      case Next::acknowledge:
        session.acknowledged({});
        break;
      case Next::relay: {
        const Session::Piece piece = session.take_body(body, 1U << 10);
        if (piece == Session::Piece::end) {
          done.passed += passed_head(session) + std::exchange(body, {});
          session.relayed(true);
        }
        if (piece == Session::Piece::refused) {
          body.clear();
        }
        if (piece != Session::Piece::needs_more) {
          break;
        }
        [[fallthrough]];
      }
      case Next::read:
        if (bytes.empty()) {
          done.taken = world.buffer.taken;
          return done;
        }
        read();
        break;
    }
  }
}

struct Answer {
  std::string status;
  std::string body;
  bool closes = false;
  friend bool operator==(const Answer&, const Answer&) = default;
};

std::size_t length_in(std::string_view head) {
  constexpr std::string_view name = "\r\nContent-Length: ";
  const std::size_t at = head.find(name);
  fuzz::check(at != std::string_view::npos, "an answer says its length", head);
  return std::strtoul(std::string(head.substr(at + name.size())).c_str(), nullptr, 10);
}

// Reads what was written as a client does.
std::vector<Answer> read_answers(std::string_view out) {
  std::vector<Answer> answers;
  while (!out.empty()) {
    if (out.starts_with(interim)) {  // whether it comes depends on how much has come
      out.remove_prefix(interim.size());
      continue;
    }
    const std::size_t end = out.find("\r\n\r\n");
    fuzz::check(out.starts_with("HTTP/1.1 ") && end != std::string_view::npos, "HTTP comes out",
                out);
    const std::string_view head = out.substr(0, end + 2);
    const std::size_t length = length_in(head);
    fuzz::check(out.size() >= end + 4 + length, "an answer is whole", out);
    const std::string_view body = out.substr(end + 4, length);
    fuzz::check(fuzz::CompactJson(body).is_valid(), "an answer is JSON", body);
    for (const char c : head) {
      fuzz::check(c == '\r' || c == '\n' || (c >= 0x20 && c < 0x7F), "a head is text", head);
    }
    fuzz::check(answers.empty() || !answers.back().closes, "nothing follows the last answer");
    answers.push_back({.status = std::string(head.substr(9, 3)),
                       .body = std::string(body),
                       .closes = head.find("\r\nConnection: close\r\n") != std::string_view::npos});
    out.remove_prefix(end + 4 + length);
  }
  // Broken HTTP is noticed at the latest when the head is whole, and may be sooner.
  if (!answers.empty() && answers.back().closes &&
      (answers.back().status == "400" || answers.back().status == "431")) {
    answers.pop_back();
  }
  return answers;
}

void check_same(const Exchange& a, const Exchange& b) {
  fuzz::check(read_answers(a.out) == read_answers(b.out), "answers do not depend on the cuts",
              a.out + "\n--- or\n" + b.out);
  fuzz::check(a.taken == b.taken, "events do not depend on the cuts");
  fuzz::check(a.passed == b.passed, "what is passed through does not depend on the cuts");
}

// What goes back to the client of an upstream's answer; nothing when it is broken.
std::string passed_back(std::string_view bytes, const auto& next_cut) {
  using Step = AnswerParser::Step;
  AnswerParser parser(false);
  ReadBuffer in;
  std::string out;
  while (true) {
    Step step = parser.take(in);
    out += parser.body();
    parser.body().clear();
    if (step == Step::needs_more && bytes.empty()) {
      step = parser.take_end();
    }
    if (step == Step::end) {
      const std::string head = client_answer_head(parser.head(), {.hide_session = true});
      fuzz::check(head.find("\r\n\r\n") == head.size() - 4, "a head is one head", head);
      return head + out;
    }
    if (step == Step::broken) {
      return {};
    }
    if (step == Step::needs_more) {
      const std::span<char> space = in.free_space();
      const std::size_t count =
          std::min({space.size(), bytes.size(), std::max<std::size_t>(next_cut(), 1)});
      std::memcpy(space.data(), bytes.data(), count);
      in.commit(count);
      bytes.remove_prefix(count);
    }
  }
}

}  // namespace
}  // namespace sluice::ingest

// The first byte says who asks whom, the second how the rest is cut.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  using namespace sluice::ingest;
  if (size < 2) {
    return 0;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if ((data[0] & 8U) != 0) {
    const std::string all = passed_back(bytes, [] { return std::size_t{1} << 20; });
    fuzz::check(all == passed_back(bytes, [] { return std::size_t{1}; }),
                "an answer does not depend on the cuts");
    return 0;
  }
  const Exchange whole = exchange(data[0], bytes, [] { return std::size_t{1} << 20; });
  Rng rng(data[1]);
  check_same(whole, exchange(data[0], bytes, [&] { return 1 + rng.below(1 + data[1]); }));
  if (bytes.size() < 512) {
    check_same(whole, exchange(data[0], bytes, [] { return std::size_t{1}; }));
  }
  return 0;
}

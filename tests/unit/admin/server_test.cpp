// Goal: whatever fails or is sent, the admin server goes on serving, keeps to its limits, and stops
// with nothing left behind.
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <string>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/admin/server.hpp>
#include <sluice/net/run.hpp>

#include "scripted_upstream.hpp"

namespace sluice::admin {
namespace {

namespace asio = net::asio;
using testing::HasSubstr;
using testing::StartsWith;

// More than there may be connections at once.
constexpr int many = 70;

class ServerTest : public testing::Test {
 protected:
  ~ServerTest() override {
    asio::post(context_, [this] {
      server_->stop();
      work_.reset();
    });
    thread_.join();
    EXPECT_TRUE(gate_.empty());
  }

  Hooks hooks() {
    return {.metrics = []() -> std::string { throw std::bad_alloc(); },
            .status = [this]() -> std::string {
              if (failures_left_-- > 0) {
                throw std::bad_alloc();
              }
              return "{}\n";
            },
            .not_ready = [] { return std::string(); },
            .config = [] { return std::string("config: true\n"); },
            .dead_letters = nullptr,
            .reload = nullptr,
            .quit = nullptr,
            .open_tap = nullptr};
  }

  test::RawConnection connect() {
    return test::RawConnection::to(std::get<config::TcpAddress>(server_->address()).port);
  }
  std::string get(const std::string& path, const std::string& fields = "Host: localhost\r\n") {
    test::RawConnection connection = connect();
    connection.write("GET " + path + " HTTP/1.1\r\nConnection: close\r\n" + fields + "\r\n");
    return connection.read_to_end();
  }

  std::atomic<int> failures_left_{0};
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  net::Gate gate_{"test"};
  std::unique_ptr<Server> server_ =
      start_server(context_.get_executor(), gate_,
                   config::TcpAddress{.host = "127.0.0.1", .port = 0}, hooks())
          .value();
  std::thread thread_{[this] { net::run(context_, "test"); }};
};

TEST_F(ServerTest, AnAnswerThatCannotBeMadeCostsNoPlace) {
  for (int i = 0; i < many; ++i) {
    EXPECT_EQ(get("/metrics"), "");
  }
  EXPECT_THAT(get("/livez"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, AStatusThatCannotBeMadeEndsNobodysView) {
  failures_left_ = 1;
  test::RawConnection first = connect();
  first.write("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(first.read_head(), StartsWith("HTTP/1.1 200 "));
  test::RawConnection second = connect();
  second.write("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(second.read_until("data: {}\n\n"), HasSubstr("data: {}"));
}

// Each piece ends one byte into a field, so that none is more than a field to the parser.
TEST_F(ServerTest, AHeadHasALimitHoweverItIsCut) {
  test::RawConnection connection = connect();
  std::size_t sent = 0;
  bool open = connection.write("GET /livez HTTP/1.1\r\nHost: localhost\r\nX");
  const std::string field(": " + std::string(500, 'x') + "\r\nX");
  while (open && sent < 1'000'000) {
    open = connection.write(field);
    sent += field.size();
  }
  EXPECT_THAT(connection.read_to_end(), StartsWith("HTTP/1.1 431 "));
}

TEST_F(ServerTest, WhatIsNoRequestIsToldSo) {
  for (const std::string& bytes :
       {std::string("GET /livez HTTP/1.1\r\nno field\r\n\r\n"),
        std::string("\x16\x03\x01 hello\r\n"),
        std::string("GET /livez HTTP/9.9\r\nHost: x\r\n\r\n"),
        std::string("POST /livez HTTP/1.1\r\nContent-Length: many\r\n\r\n"),
        std::string(
            "POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")}) {
    test::RawConnection connection = connect();
    connection.write(bytes + std::string(std::size_t{2} << 20, 'x'));  // and goes on
    const std::string answer = connection.read_to_end();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << bytes;
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n")) << bytes;
    EXPECT_THAT(answer, HasSubstr("not valid HTTP/1.1")) << bytes;
    EXPECT_FALSE(connection.was_reset()) << bytes;
  }
  test::RawConnection large = connect();
  large.write("GET /livez HTTP/1.1\r\nX: " + std::string(9'000, 'x') + "\r\n\r\n");
  EXPECT_THAT(large.read_to_end(), StartsWith("HTTP/1.1 431 "));
  test::RawConnection gone = connect();
  gone.write("GET /livez HT");
  gone.end();
  EXPECT_EQ(gone.read_to_end(), "") << "nobody is left to be told";
}

TEST_F(ServerTest, APageThatHasItsNameResolvedToOursSeesNothing) {
  const std::string rebound = "Host: evil.example:9090\r\n";
  for (const char* path :
       {"/", "/config", "/events", "/tap", "/tap?sample=1/s", "/dlq", "/dlq?limit=1", "/dlq/x"}) {
    EXPECT_THAT(get(path, rebound), StartsWith("HTTP/1.1 403 ")) << path;
  }
  for (const char* path : {"/livez", "/readyz", "/status"}) {
    EXPECT_THAT(get(path, rebound), StartsWith("HTTP/1.1 200 ")) << path;
  }
  EXPECT_THAT(get("/config"), StartsWith("HTTP/1.1 200 "));
  std::promise<void> set;
  asio::post(context_, [&] {
    server_->set_hosts({"evil.example"});
    set.set_value();
  });
  set.get_future().wait();
  EXPECT_THAT(get("/config", rebound), StartsWith("HTTP/1.1 200 "));
}

// stop() comes just after the connection was accepted, and before it is served.
TEST_F(ServerTest, StopEndsAConnectionThatHasJustBegun) {
  std::function<void()> look = [&] {
    if (gate_.count() > 1) {
      server_->stop();
    } else {
      asio::post(context_, look);
    }
  };
  asio::post(context_, look);
  EXPECT_EQ(connect().read_to_end(), "");
  const auto left = [this] {
    std::promise<std::size_t> count;
    asio::post(context_, [&] { count.set_value(gate_.count()); });
    return count.get_future().get();
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (left() > 0 && std::chrono::steady_clock::now() < deadline) {
  }
  EXPECT_EQ(left(), 0U);
}

}  // namespace
}  // namespace sluice::admin

// Goal: a client that is still sending when its last answer is given reads that answer, and nobody
// holds a connection, or the thread, by never coming to an end.
#include <array>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <gtest/gtest.h>

#include <sluice/net/gate.hpp>
#include <sluice/net/lingering.hpp>

namespace sluice::net {
namespace {

using namespace std::chrono_literals;
constexpr MonoTime begin{1h};

TEST(LingerTime, LastsWhileEnoughComesAndNotForEver) {
  LingerTime silent(begin);
  EXPECT_EQ(silent.deadline(), begin + 3s);
  LingerTime slow(begin);
  slow.received(100, begin + 2s);
  EXPECT_LT(slow.deadline(), begin + 3100ms) << "a trickle earns next to nothing";
  LingerTime busy(begin);
  for (auto at = begin; at < begin + 40s; at += 1s) {
    busy.received(1U << 20, at);
    EXPECT_EQ(busy.deadline(), std::min(at + 3s, begin + 30s));
  }
  LingerTime stopped(begin);
  stopped.received(64U << 20, begin + 1s);
  EXPECT_EQ(stopped.deadline(), begin + 4s) << "what came does not pay for silence";
}

class LingeringTest : public testing::Test {
 protected:
  using Local = asio::local::stream_protocol;
  struct Pair {
    explicit Pair(asio::io_context& context) : client(context), server(context) {
      Local::socket other(context);
      asio::local::connect_pair(client, other);
      server.assign(asio::generic::stream_protocol(AF_UNIX, 0), other.release());
      client.non_blocking(true);
    }
    Local::socket client;
    Socket server;
  };

  static Task<> close(Lingering& lingering, Socket& socket, int& closed) {
    co_await lingering.close(socket);
    ++closed;
  }
  void begin_closing(Pair& pair) {
    spawn(context_.get_executor(), gate_, close(lingering_, pair.server, closed_));
    context_.restart();
    context_.poll();
  }

  asio::io_context context_;
  Gate gate_{"test"};
  Lingering lingering_{system_clock()};
  int closed_ = 0;
};

TEST_F(LingeringTest, WhatTheClientStillSendsIsReadToItsEnd) {
  Pair pair(context_);
  begin_closing(pair);
  std::array<char, 64> byte{};
  boost::system::error_code error;
  pair.client.read_some(asio::buffer(byte), error);
  EXPECT_EQ(error, asio::error::eof) << "the half that sends is closed at once";
  const std::vector<char> piece(64U << 10);
  for (std::size_t sent = 0; sent < 8U << 20;) {
    sent += pair.client.write_some(asio::buffer(piece), error);
    ASSERT_TRUE(!error || error == asio::error::would_block) << error.message();
    context_.restart();
    context_.run_one_for(100ms);
  }
  EXPECT_EQ(closed_, 0);
  pair.client.close();
  context_.restart();
  context_.run();
  EXPECT_EQ(closed_, 1);
  EXPECT_FALSE(pair.server.is_open());
  EXPECT_EQ(lingering_.connections(), 0U);
}

TEST_F(LingeringTest, TheOldestGivesWayWhenThereAreTooMany) {
  std::vector<std::unique_ptr<Pair>> pairs;
  for (std::size_t i = 0; i < Lingering::connections_max + 3; ++i) {
    pairs.push_back(std::make_unique<Pair>(context_));
    begin_closing(*pairs.back());
  }
  context_.restart();
  context_.poll();
  EXPECT_EQ(closed_, 3);
  EXPECT_EQ(lingering_.connections(), Lingering::connections_max);
  EXPECT_FALSE(pairs[2]->server.is_open());
  EXPECT_TRUE(pairs[3]->server.is_open());
  for (const auto& pair : pairs) {
    pair->client.close();
  }
  context_.restart();
  context_.run();
  EXPECT_TRUE(gate_.empty());
}

}  // namespace
}  // namespace sluice::net

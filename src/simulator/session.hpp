// One connection: reads requests, hands them to the model, and carries out the answers, however
// odd.
#pragma once

#include <unordered_set>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>

#include <sluice/net/asio.hpp>
#include <sluice/net/listener.hpp>

#include "api_model.hpp"

namespace sluice::simulator {

using Transport = boost::beast::basic_stream<net::asio::generic::stream_protocol>;

// What a session can be waiting for; cutting both ends it.
struct LiveConnection {
  Transport* transport;
  net::asio::steady_timer* timer;
};

// The thread that sessions run on, as they see it. It outlives them.
struct SessionHost {
  World& world;
  ApiModel& model;
  net::asio::ssl::context* tls;  // null: plain
  std::unordered_set<LiveConnection*> live;
  bool stopping = false;
};

// Serves one accepted connection until it ends.
[[nodiscard]] net::Task<> serve(SessionHost& host, net::Socket socket);
// Cuts all connections; their sessions end by themselves soon after.
void cut_all(SessionHost& host);

}  // namespace sluice::simulator

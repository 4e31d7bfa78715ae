// Goal: over real sockets the simulator keeps connections alive, carries out each fault on the
// wire, speaks TLS, and stops whatever its connections are doing.
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/net/tls.hpp>
#include <sluice/simulator/simulator.hpp>

#include "test_pki.hpp"

namespace sluice::simulator {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::string_view one_event =
    R"([{"type":"hit-timer","label":"l","client":{"id":1},"eventSalt":"s",)"
    R"("time":"2025-06-01T10:00:00Z"}])";

std::string request_text(std::string_view body, std::string_view further_headers = "") {
  return "POST /v4/events/batch HTTP/1.1\r\nHost: sim\r\nAuthorization: Basic Zzpr\r\n"
         "Content-Type: application/json\r\nApi-Version: 4.4\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + std::string(further_headers) + "\r\n" +
         std::string(body);
}

struct Received {
  error_code error;
  http::response<http::string_body> answer;
};

template <class Stream>
Received receive(Stream& stream, boost::beast::flat_buffer& buffer) {
  Received received;
  http::read(stream, buffer, received.answer, received.error);
  return received;
}

// A blocking connection.
class Client {
 public:
  explicit Client(std::uint16_t port) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), port});
  }
  void send(std::string_view text) { asio::write(socket_, asio::buffer(text)); }
  Received receive() { return simulator::receive(socket_, buffer_); }
  Received exchange(std::string_view text) {
    send(text);
    return receive();
  }
  // What ends the connection when nothing more is to come.
  error_code end() {
    char byte = 0;
    error_code error;
    asio::read(socket_, asio::buffer(&byte, 1), error);
    return error;
  }

 private:
  asio::io_context context_;
  tcp::socket socket_{context_};
  boost::beast::flat_buffer buffer_;
};

class SimulatorOnSockets : public ::testing::Test {
 protected:
  void start(Options options = {}) {
    simulator_ = std::make_unique<Simulator>(std::move(options));
    const auto started = simulator_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  void start_with(std::string_view faults) {
    start();
    ASSERT_TRUE(simulator_->set_faults(faults));
  }

  std::unique_ptr<Simulator> simulator_;
};

TEST_F(SimulatorOnSockets, a_connection_serves_many_requests) {
  start();
  Client client(simulator_->port());
  for (int i = 0; i < 20; ++i) {
    const Received received = client.exchange(request_text(one_event));
    ASSERT_FALSE(received.error) << received.error.message();
    EXPECT_EQ(received.answer.result_int(), 202U);
    EXPECT_TRUE(received.answer.keep_alive());
  }
  EXPECT_EQ(simulator_->stats().connections_accepted, 1U);
  EXPECT_EQ(simulator_->ledger().summary().unique, 1U);
  EXPECT_EQ(simulator_->ledger().summary().deliveries, 20U);
}

TEST_F(SimulatorOnSockets, pipelined_requests_are_answered_in_order) {
  start();
  Client client(simulator_->port());
  client.send(request_text(one_event) + request_text("[]") + request_text(one_event));
  EXPECT_EQ(client.receive().answer.result_int(), 202U);
  EXPECT_EQ(client.receive().answer.result_int(), 400U);
  EXPECT_EQ(client.receive().answer.result_int(), 202U);
}

TEST_F(SimulatorOnSockets, connection_close_is_obeyed) {
  start();
  Client client(simulator_->port());
  const Received received = client.exchange(request_text(one_event, "Connection: close\r\n"));
  EXPECT_EQ(received.answer.result_int(), 202U);
  EXPECT_FALSE(received.answer.keep_alive());
  EXPECT_EQ(client.end(), asio::error::eof);
}

TEST_F(SimulatorOnSockets, large_bodies) {
  start({.body_bytes_max = 2'000'000});
  const std::string padded = std::string(one_event) + std::string(900'000, ' ');
  EXPECT_EQ(Client(simulator_->port()).exchange(request_text(padded)).answer.result_int(), 202U);
  const std::string over_api_limit(1'500'000, ' ');
  EXPECT_EQ(Client(simulator_->port()).exchange(request_text(over_api_limit)).answer.result_int(),
            413U);
  // Beyond the parser's limit the body is not read at all.
  Client client(simulator_->port());
  const Received received = client.exchange(
      "POST /v4/events/batch HTTP/1.1\r\nHost: sim\r\nContent-Length: 2000001\r\n\r\n");
  EXPECT_EQ(received.answer.result_int(), 413U);
  EXPECT_EQ(client.end(), asio::error::eof);
}

TEST_F(SimulatorOnSockets, what_is_not_http_gets_400) {
  start();
  Client client(simulator_->port());
  EXPECT_EQ(client.exchange("nonsense\r\n\r\n").answer.result_int(), 400U);
  EXPECT_EQ(client.end(), asio::error::eof);
}

TEST_F(SimulatorOnSockets, reset_after_stores_and_resets) {
  start_with("reset_after,count=1");
  Client client(simulator_->port());
  client.send(request_text(one_event));
  EXPECT_EQ(client.end(), asio::error::connection_reset);
  EXPECT_EQ(simulator_->ledger().summary().deliveries, 1U);
  EXPECT_EQ(Client(simulator_->port()).exchange(request_text(one_event)).answer.result_int(), 202U);
  EXPECT_EQ(simulator_->ledger().summary().unique, 1U);
  EXPECT_EQ(simulator_->ledger().summary().deliveries, 2U);
}

TEST_F(SimulatorOnSockets, reset_before_resets_and_stores_nothing) {
  start_with("reset_before,count=1");
  Client client(simulator_->port());
  client.send(request_text(one_event));
  EXPECT_EQ(client.end(), asio::error::connection_reset);
  EXPECT_EQ(simulator_->ledger().summary().deliveries, 0U);
}

TEST_F(SimulatorOnSockets, cut_body_ends_amid_the_answer) {
  start_with("cut_body");
  Client client(simulator_->port());
  EXPECT_EQ(client.exchange(request_text(one_event)).error, http::error::partial_message);
}

TEST_F(SimulatorOnSockets, slow_body_arrives_whole) {
  start_with("slow_body,slow_ms=8,body=abcdefghij");
  Client client(simulator_->port());
  for (int i = 0; i < 2; ++i) {
    const Received received = client.exchange(request_text(one_event));
    EXPECT_FALSE(received.error) << received.error.message();
    EXPECT_EQ(received.answer.body(), "abcdefghij");
  }
}

TEST_F(SimulatorOnSockets, malformed_is_not_http) {
  start_with("malformed");
  Client client(simulator_->port());
  EXPECT_EQ(client.exchange(request_text(one_event)).error, http::error::bad_version);
}

TEST_F(SimulatorOnSockets, faults_come_and_go_over_the_wire) {
  start();
  Client client(simulator_->port());
  const auto control = [&](std::string_view method, std::string_view body) {
    return client.exchange(std::string(method) +
                           " /sim/faults HTTP/1.1\r\nHost: sim\r\nContent-Length: " +
                           std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
  };
  EXPECT_EQ(control("POST", R"([{"status":503,"retry_after":1}])").answer.result_int(), 200U);
  const Received refused = client.exchange(request_text(one_event));
  EXPECT_EQ(refused.answer.result_int(), 503U);
  EXPECT_EQ(refused.answer[http::field::retry_after], "1");
  EXPECT_EQ(control("DELETE", "").answer.result_int(), 200U);
  EXPECT_EQ(client.exchange(request_text(one_event)).answer.result_int(), 202U);
}

TEST_F(SimulatorOnSockets, stops_while_connections_idle_hang_or_are_half_way) {
  start_with("hang,hang_ms=3600000");
  Client idle(simulator_->port());
  Client hanging(simulator_->port());
  Client half(simulator_->port());
  half.send(request_text(one_event).substr(0, 40));
  hanging.send(request_text(one_event));
  while (simulator_->ledger().summary().deliveries == 0) {
    std::this_thread::yield();
  }
  simulator_->stop();
  EXPECT_TRUE(idle.end());
  EXPECT_TRUE(hanging.end());
  EXPECT_TRUE(half.end());
}

TEST_F(SimulatorOnSockets, comes_back_on_its_port_with_its_ledger) {
  start();
  const std::uint16_t port = simulator_->port();
  EXPECT_EQ(Client(port).exchange(request_text(one_event)).answer.result_int(), 202U);
  simulator_->stop();
  EXPECT_THROW(Client{port}, boost::system::system_error);
  ASSERT_TRUE(simulator_->start());
  EXPECT_EQ(simulator_->port(), port);
  EXPECT_EQ(Client(port).exchange(request_text(one_event)).answer.result_int(), 202U);
  EXPECT_EQ(simulator_->ledger().summary().deliveries, 2U);
}

TEST_F(SimulatorOnSockets, a_port_that_is_taken_is_an_error) {
  start();
  Simulator second({.port = simulator_->port()});
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, ::testing::HasSubstr("cannot listen on 127.0.0.1:"));
}

TEST_F(SimulatorOnSockets, several_threads_share_one_ledger) {
  constexpr int clients = 8;
  constexpr int requests = 50;
  start({.threads = 3});
  std::vector<std::thread> running;
  running.reserve(clients);
  for (int c = 0; c < clients; ++c) {
    running.emplace_back([port = simulator_->port()] {
      Client client(port);
      for (int i = 0; i < requests; ++i) {
        EXPECT_EQ(client.exchange(request_text(one_event)).answer.result_int(), 202U);
      }
    });
  }
  for (std::thread& thread : running) {
    thread.join();
  }
  EXPECT_EQ(simulator_->ledger().summary().unique, 1U);
  EXPECT_EQ(simulator_->ledger().summary().deliveries, clients * requests);
  EXPECT_EQ(simulator_->stats().connections_accepted, clients);
}

TEST_F(SimulatorOnSockets, tls) {
  const test::TestPki pki;
  const config::ServerTls files = pki.issue("server", {.alternative_names = "IP:127.0.0.1"});
  start({.tls_cert_file = files.cert_file, .tls_key_file = files.key_file});
  EXPECT_EQ(simulator_->base_url(), "https://127.0.0.1:" + std::to_string(simulator_->port()));
  auto tls = net::make_client_tls(pki.ca_file());
  ASSERT_TRUE(tls);
  asio::io_context context;
  asio::ssl::stream<tcp::socket> stream(context, *tls);
  stream.next_layer().connect({asio::ip::make_address("127.0.0.1"), simulator_->port()});
  ASSERT_TRUE(net::expect_peer(stream.native_handle(), "127.0.0.1"));
  stream.handshake(asio::ssl::stream_base::client);
  boost::beast::flat_buffer buffer;
  for (int i = 0; i < 3; ++i) {
    asio::write(stream, asio::buffer(request_text(one_event)));
    const Received received = receive(stream, buffer);
    ASSERT_FALSE(received.error) << received.error.message();
    EXPECT_EQ(received.answer.result_int(), 202U);
  }
  EXPECT_EQ(simulator_->ledger().summary().deliveries, 3U);
}

TEST_F(SimulatorOnSockets, a_client_that_does_not_speak_tls_does_no_harm) {
  const test::TestPki pki;
  const config::ServerTls files = pki.issue("server", {.alternative_names = "IP:127.0.0.1"});
  start({.tls_cert_file = files.cert_file, .tls_key_file = files.key_file});
  Client client(simulator_->port());
  client.send(request_text(one_event));
  EXPECT_TRUE(client.receive().error);
  EXPECT_EQ(simulator_->ledger().summary().deliveries, 0U);
}

TEST(SimulatorStart, tls_files_that_cannot_be_read_are_an_error) {
  Simulator simulator({.tls_cert_file = "/none/cert.pem", .tls_key_file = "/none/key.pem"});
  const auto started = simulator.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, ::testing::HasSubstr("/none/cert.pem"));
}

}  // namespace
}  // namespace sluice::simulator

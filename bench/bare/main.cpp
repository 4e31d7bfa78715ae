// bare-server: the least that a Beast server can be. It reads each request whole and answers 202.
// What a gateway reaches beside it, under the same load and on the same cores, is what the
// gateway's own work costs.
#include <csignal>
#include <cstdint>
#include <deque>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <sluice/net/gate.hpp>
#include <sluice/net/listener.hpp>

namespace {

namespace net = sluice::net;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t buffer_bytes = 128UL << 10;
constexpr std::uint64_t body_bytes_max = 64UL << 20;

net::Task<> serve(net::Socket socket) {
  error_code ignored;
  socket.set_option(net::asio::ip::tcp::no_delay(true), ignored);
  boost::beast::flat_buffer buffer;
  buffer.reserve(buffer_bytes);
  http::response<http::empty_body> answer(http::status::accepted, 11);
  answer.content_length(0);
  bool open = true;
  while (open) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(body_bytes_max);
    const auto [unread, size] = co_await http::async_read(socket, buffer, parser, net::as_result);
    if (unread) {
      co_return;
    }
    const auto [unwritten, written] = co_await http::async_write(socket, answer, net::as_result);
    open = !unwritten && parser.get().keep_alive();
  }
}

net::Task<> accept(net::Acceptor& acceptor, net::Gate& gate) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(net::as_result);
    if (error) {
      std::cerr << "bare-server: cannot accept: " << error.message() << '\n';
      co_return;
    }
    net::spawn(acceptor.get_executor(), gate, serve(std::move(socket)));
  }
}

void run_thread(net::Acceptor& acceptor, net::asio::io_context& context, net::Gate& gate) {
  net::spawn(context.get_executor(), gate, accept(acceptor, gate));
  context.run();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A server that answers 202 to everything, to measure against");
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  unsigned threads = 1;
  app.add_option("--host", host, "Address to listen on");
  app.add_option("--port", port, "Port to listen on")->check(CLI::Range(1, 65'535));
  app.add_option("--threads", threads, "Threads, each with a listening socket of its own")
      ->check(CLI::Range(1, 256));
  CLI11_PARSE(app, argc, argv);

  std::deque<net::Gate> gates;  // outlive the contexts, and the coroutines in them
  std::vector<std::unique_ptr<net::asio::io_context>> contexts;
  std::vector<net::Acceptor> acceptors;
  for (unsigned i = 0; i < threads; ++i) {
    gates.emplace_back("bare");
    contexts.push_back(std::make_unique<net::asio::io_context>(1));
    auto acceptor =
        net::listen(contexts.back()->get_executor(),
                    sluice::config::TcpAddress{.host = host, .port = port}, {.reuse_port = true});
    if (!acceptor) {
      std::cerr << "bare-server: " << acceptor.error().message << '\n';
      return 1;
    }
    acceptors.push_back(std::move(*acceptor));
  }
  std::cout << "listening on http://" << net::to_string(net::local_address(acceptors.front()))
            << '\n'
            << std::flush;
  net::asio::signal_set signals(*contexts.front(), SIGTERM, SIGINT);
  signals.async_wait([&](const boost::system::error_code&, int) {
    for (const auto& context : contexts) {
      context->stop();
    }
  });
  std::vector<std::jthread> running;
  running.reserve(threads);
  for (unsigned i = 0; i < threads; ++i) {
    running.emplace_back([&, i] { run_thread(acceptors[i], *contexts[i], gates[i]); });
  }
}

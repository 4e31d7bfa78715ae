// Goal: each kind of address can be listened on, a live listener is never pushed aside, a dead
// one's socket file never stands in the way, and every refusal says what to do.
#include <filesystem>
#include <fstream>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/net/listener.hpp>

#include "temporary_directory.hpp"

namespace sluice::net {
namespace {

using config::TcpAddress;
using config::UnixAddress;
using testing::HasSubstr;

// Whether a client can connect to where the acceptor says it listens.
bool accepts(asio::io_context& context, Acceptor& acceptor) {
  Socket client(context);
  boost::system::error_code error;
  client.connect(acceptor.local_endpoint(), error);
  if (error) {
    return false;
  }
  Socket accepted(context);
  acceptor.accept(accepted, error);
  return !error;
}

TEST(Listen, AcceptsOnEachKindOfAddress) {
  const test::TemporaryDirectory directory;
  const config::ListenAddress addresses[] = {
      TcpAddress{.host = "127.0.0.1", .port = 0},
      TcpAddress{.host = "localhost", .port = 0},
      TcpAddress{.host = "0.0.0.0", .port = 0},
      UnixAddress{directory / "ingest.sock"},
  };
  for (const auto& address : addresses) {
    SCOPED_TRACE(to_string(address));
    asio::io_context context;
    Result<Acceptor> acceptor = listen(context.get_executor(), address);
    ASSERT_TRUE(acceptor) << acceptor.error().message;
    EXPECT_TRUE(accepts(context, *acceptor));
  }
}

TEST(Listen, AcceptsOnIpv6) {
  asio::io_context context;
  Result<Acceptor> acceptor = listen(context.get_executor(), TcpAddress{.host = "::1", .port = 0});
  if (!acceptor) {
    GTEST_SKIP() << "no IPv6 here: " << acceptor.error().message;
  }
  EXPECT_TRUE(accepts(context, *acceptor));
  EXPECT_THAT(to_string(local_address(*acceptor)), HasSubstr("[::1]:"));
}

TEST(Listen, LocalAddressTellsThePortThatTheKernelChose) {
  asio::io_context context;
  const auto acceptor = listen(context.get_executor(), TcpAddress{.host = "127.0.0.1", .port = 0});
  ASSERT_TRUE(acceptor);
  const auto address = std::get<TcpAddress>(local_address(*acceptor));
  EXPECT_EQ(address.host, "127.0.0.1");
  EXPECT_NE(address.port, 0);
}

TEST(Listen, LocalAddressTellsThePathOfASocket) {
  const test::TemporaryDirectory directory;
  asio::io_context context;
  const auto acceptor = listen(context.get_executor(), UnixAddress{directory / "s"});
  ASSERT_TRUE(acceptor);
  EXPECT_EQ(to_string(local_address(*acceptor)), "unix:" + (directory / "s"));
}

TEST(Listen, SeveralAcceptorsShareAPortOnlyWhenAllAskForIt) {
  asio::io_context context;
  const auto executor = context.get_executor();
  const TcpAddress any{.host = "127.0.0.1", .port = 0};
  const auto first = listen(executor, any, {.reuse_port = true});
  ASSERT_TRUE(first);
  EXPECT_TRUE(listen(executor, local_address(*first), {.reuse_port = true}));
  EXPECT_FALSE(listen(executor, local_address(*first)));
}

TEST(Listen, SaysWhatToDoAboutATakenPort) {
  asio::io_context context;
  const auto first = listen(context.get_executor(), TcpAddress{.host = "127.0.0.1", .port = 0});
  ASSERT_TRUE(first);
  const auto second = listen(context.get_executor(), local_address(*first));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, std::errc::address_in_use);
  EXPECT_EQ(second.error().message,
            "cannot listen on " + to_string(local_address(*first)) +
                ": Address already in use: stop the process that listens there, or choose another "
                "address");
}

TEST(Listen, SaysThatANameHasNoAddress) {
  asio::io_context context;
  const auto acceptor =
      listen(context.get_executor(), TcpAddress{.host = "nonexistent.invalid", .port = 80});
  ASSERT_FALSE(acceptor);
  EXPECT_THAT(acceptor.error().message, HasSubstr("cannot listen on nonexistent.invalid:80: "));
}

TEST(Listen, ReplacesTheSocketFileOfAKilledProcess) {
  const test::TemporaryDirectory directory;
  const UnixAddress address{directory / "ingest.sock"};
  asio::io_context context;
  {
    const auto killed = listen(context.get_executor(), address);
    ASSERT_TRUE(killed);
  }
  ASSERT_TRUE(std::filesystem::exists(address.path)) << "closing leaves the file, as a kill does";
  Result<Acceptor> acceptor = listen(context.get_executor(), address);
  ASSERT_TRUE(acceptor) << acceptor.error().message;
  EXPECT_TRUE(accepts(context, *acceptor));
}

TEST(Listen, LeavesALiveSocketAlone) {
  const test::TemporaryDirectory directory;
  const UnixAddress address{directory / "ingest.sock"};
  asio::io_context context;
  Result<Acceptor> live = listen(context.get_executor(), address);
  ASSERT_TRUE(live);
  const auto second = listen(context.get_executor(), address);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, std::errc::address_in_use);
  // The probe for life is itself a connection, which the live listener sees end.
  Socket probe(context);
  live->accept(probe);
  EXPECT_TRUE(accepts(context, *live));
}

TEST(Listen, LeavesAFileThatIsNoSocketAlone) {
  const test::TemporaryDirectory directory;
  const UnixAddress address{directory / "precious"};
  std::ofstream(address.path) << "data";
  asio::io_context context;
  EXPECT_FALSE(listen(context.get_executor(), address));
  EXPECT_EQ(std::filesystem::file_size(address.path), 4U);
}

TEST(Listen, RefusesAPathThatASocketCannotHave) {
  asio::io_context context;
  for (const std::string& path : {std::string(), "/" + std::string(200, 'x')}) {
    const auto acceptor = listen(context.get_executor(), UnixAddress{path});
    ASSERT_FALSE(acceptor);
    EXPECT_THAT(acceptor.error().message, HasSubstr("1 to 107 bytes"));
  }
}

TEST(Listen, SaysWhichDirectoryToCreate) {
  asio::io_context context;
  const auto acceptor = listen(context.get_executor(), UnixAddress{"/nonexistent/ingest.sock"});
  ASSERT_FALSE(acceptor);
  EXPECT_THAT(acceptor.error().message, HasSubstr("create the directory"));
}

}  // namespace
}  // namespace sluice::net

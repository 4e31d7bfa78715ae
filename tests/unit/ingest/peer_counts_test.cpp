// Goal: a client counts as itself whichever of its addresses it uses, and gives up what it had.
#include "peer_counts.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace sluice::ingest {
namespace {

std::optional<PeerAddress> of_v4(const char* text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, text, &address.sin_addr);
  return peer_address(reinterpret_cast<const sockaddr*>(&address));
}
std::optional<PeerAddress> of_v6(const char* text) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  inet_pton(AF_INET6, text, &address.sin6_addr);
  return peer_address(reinterpret_cast<const sockaddr*>(&address));
}

TEST(PeerAddress, IsTheNetworkThatAClientCommands) {
  EXPECT_NE(of_v4("192.0.2.1"), of_v4("192.0.2.2"));
  EXPECT_EQ(of_v6("::ffff:192.0.2.1"), of_v4("192.0.2.1"));
  EXPECT_NE(of_v6("::ffff:192.0.2.1"), of_v6("::ffff:192.0.2.2"));
  EXPECT_EQ(of_v6("2001:db8:0:1::1"), of_v6("2001:db8:0:1:ffff:ffff:ffff:ffff"));
  EXPECT_NE(of_v6("2001:db8:0:1::1"), of_v6("2001:db8:0:2::1"));
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  EXPECT_EQ(peer_address(reinterpret_cast<const sockaddr*>(&local)), std::nullopt);
}

TEST(PeerCounts, HoldEachAddressToItsNumber) {
  PeerCounts counts;
  const PeerAddress a = *of_v4("192.0.2.1");
  const PeerAddress b = *of_v4("192.0.2.2");
  EXPECT_TRUE(counts.try_enter(a, 2));
  EXPECT_TRUE(counts.try_enter(a, 2));
  EXPECT_FALSE(counts.try_enter(a, 2));
  EXPECT_TRUE(counts.try_enter(b, 2));
  EXPECT_TRUE(counts.try_enter(a, 0)) << "without a limit, but counted";
  EXPECT_FALSE(counts.try_enter(a, 3));
  counts.leave(a);
  EXPECT_TRUE(counts.try_enter(a, 3));
}

}  // namespace
}  // namespace sluice::ingest

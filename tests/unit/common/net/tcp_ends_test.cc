#include "common/net/tcp_ends.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <string>
#include <utility>

#include "common/text.h"

namespace rowhouse {
namespace {

using asio::ip::tcp;

class TcpEndsTest : public testing::Test {
 protected:
  // A connection from `from` (any address where empty) to `to`, by way of a listener on `listen`.
  bool Connect(const std::string& listen, const std::string& to, const std::string& from = "") {
    boost::system::error_code error;
    tcp::acceptor acceptor(io_);
    const tcp::endpoint at(asio::ip::make_address(listen), 0);
    acceptor.open(at.protocol(), error);
    if (at.address().is_v6()) acceptor.set_option(asio::ip::v6_only(false), error);
    acceptor.bind(at, error);
    if (error) return false;  // no IPv6 here
    acceptor.listen();
    port_ = acceptor.local_endpoint().port();
    tcp::socket client(io_);
    const tcp::endpoint target(asio::ip::make_address(to), port_);
    client.open(target.protocol());
    if (!from.empty()) client.bind({asio::ip::make_address(from), 0});
    client.connect(target, error);
    if (error) return false;
    client_ = StreamSocket(std::move(client));
    server_ = StreamSocket(acceptor.accept());
    return true;
  }

  void ExpectMirrored(const std::string& server_end) {
    const auto client = TcpEndsOf(client_);
    const auto server = TcpEndsOf(server_);
    ASSERT_TRUE(client.has_value() && server.has_value());
    EXPECT_EQ(client->far, server_end);
    EXPECT_EQ(client->far, server->near);
    EXPECT_EQ(client->near, server->far);
    EXPECT_TRUE(client->same_host);
    EXPECT_TRUE(server->same_host);
  }

  asio::io_context io_;
  StreamSocket client_{io_};
  StreamSocket server_{io_};
  uint16_t port_ = 0;
};

TEST_F(TcpEndsTest, AreTheSameOnBothSides) {
  ASSERT_TRUE(Connect("127.0.0.1", "127.0.0.1"));
  ExpectMirrored(StrCat("127.0.0.1:", port_));
}

TEST_F(TcpEndsTest, AnyTwoLoopbackAddressesAreOfOneHost) {
  ASSERT_TRUE(Connect("127.0.0.2", "127.0.0.2", "127.0.0.1"));
  ExpectMirrored(StrCat("127.0.0.2:", port_));
}

TEST_F(TcpEndsTest, AreTheSameForASocketOfBothFamilies) {
  if (!Connect("::", "127.0.0.1")) GTEST_SKIP() << "skipped: no IPv6 here";
  ExpectMirrored(StrCat("127.0.0.1:", port_));
}

TEST_F(TcpEndsTest, AreTheSameOverIpv6) {
  if (!Connect("::1", "::1")) GTEST_SKIP() << "skipped: no IPv6 here";
  ExpectMirrored(StrCat("[::1]:", port_));
}

TEST_F(TcpEndsTest, UnixSocketsAndUnconnectedOnesHaveNone) {
  EXPECT_FALSE(TcpEndsOf(client_).has_value());
  asio::local::stream_protocol::socket one(io_);
  asio::local::stream_protocol::socket two(io_);
  asio::local::connect_pair(one, two);
  EXPECT_FALSE(TcpEndsOf(StreamSocket(std::move(one))).has_value());
}

}  // namespace
}  // namespace rowhouse

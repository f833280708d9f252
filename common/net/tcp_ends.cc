#include "common/net/tcp_ends.h"

#include <boost/asio/ip/tcp.hpp>
#include <cstring>

#include "common/endpoint.h"

namespace rowhouse {
namespace {

using asio::ip::tcp;

std::optional<tcp::endpoint> AsTcp(const StreamSocket::endpoint_type& end) {
  tcp::endpoint tcp_end;
  const int family = end.protocol().family();
  if (family != AF_INET && family != AF_INET6) return std::nullopt;
  if (end.size() > tcp_end.capacity()) return std::nullopt;
  std::memcpy(tcp_end.data(), end.data(), end.size());
  const asio::ip::address address = tcp_end.address();
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return tcp_end;
  return tcp::endpoint(asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()),
                       tcp_end.port());
}

std::string TextOf(const tcp::endpoint& end) {
  return ToString(Endpoint{.host = end.address().to_string(), .port = end.port(), .path = {}});
}

}  // namespace

std::optional<TcpEnds> TcpEndsOf(const StreamSocket& socket) {
  boost::system::error_code error;
  const StreamSocket::endpoint_type near_end = socket.local_endpoint(error);
  if (error) return std::nullopt;
  const StreamSocket::endpoint_type far_end = socket.remote_endpoint(error);
  if (error) return std::nullopt;
  const std::optional<tcp::endpoint> near = AsTcp(near_end);
  const std::optional<tcp::endpoint> far = AsTcp(far_end);
  if (!near.has_value() || !far.has_value()) return std::nullopt;
  const bool same_host = near->address() == far->address() ||
                         (near->address().is_loopback() && far->address().is_loopback());
  return TcpEnds{TextOf(*near), TextOf(*far), same_host};
}

}  // namespace rowhouse

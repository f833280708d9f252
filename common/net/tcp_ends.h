// The two ends of a TCP connection, as one of its sides sees them. Where both sides see the same,
// nothing stands between them: no relay and no translation of addresses.
//
// Threading: on the executor of the socket.
#pragma once

#include <optional>
#include <string>

#include "common/net/stream.h"

namespace rowhouse {

struct TcpEnds {
  std::string near;  // "127.0.0.1:7600", "[::1]:7600"; IPv4 as such on IPv6 sockets too
  std::string far;
  // Both are addresses of one host, or rather of one network namespace.
  bool same_host = false;
};

// nullopt: it is no TCP socket, or not connected.
std::optional<TcpEnds> TcpEndsOf(const StreamSocket& socket);

}  // namespace rowhouse

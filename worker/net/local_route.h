// The way to a server of this host that does not pass through the network: a Unix-domain socket of
// which the server tells in its answer to a hello over TCP.
//
// It is taken only where nothing is lost by it. Both ends of the TCP connection must be on this
// host, and both sides must see the same ends: what stands in between (a relay, another network
// namespace) was put there for a purpose. The socket must belong to this process's user, and who
// answers there must be the same life of the same server.
//
// Threading: the loop's thread.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "common/net/stream.h"
#include "common/wire/control.h"

namespace rowhouse {

// Whether `offer`, which came over `tcp`, is for this side of that connection.
bool IsLocalOffer(const StreamSocket& tcp, const LocalSocket& offer);

struct LocalStream {
  StreamSocket socket;
  FrameReader reader;
};

// Connects to the socket that `answer` tells of and says `hello` there: the connection is `out`.
// Errors: why it cannot be used, soon, whatever the peer does.
asio::awaitable<absl::Status> ConnectLocally(HelloAnswer answer, Hello hello,
                                             size_t frame_bytes_max,
                                             std::optional<LocalStream>* out);

}  // namespace rowhouse

// Closing a connection so that the peer still gets what was sent last.
//
// Closing a socket with unread input makes the kernel reset the connection, which can destroy an
// error frame on its way. So: end our side, take input until the peer ends its own, give up after a
// bounded time.
//
// Threading: the socket's executor.
#pragma once

#include <cstdint>

#include "common/net/stream.h"

namespace rowhouse {

asio::awaitable<void> CloseGently(StreamSocket& socket, uint32_t timeout_ms);

}  // namespace rowhouse

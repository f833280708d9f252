#include "ps/net/close_gently.h"

#include <array>

#include "common/net/deadline.h"

namespace rowhouse {

asio::awaitable<void> CloseGently(StreamSocket& socket, uint32_t timeout_ms) {
  boost::system::error_code ignored;
  socket.shutdown(StreamSocket::shutdown_send, ignored);
  const Deadline deadline(socket, timeout_ms);
  std::array<std::byte, 4096> sink;
  while (true) {
    auto [error, bytes] = co_await socket.async_read_some(asio::buffer(sink), kAwaitTuple);
    if (error || deadline.passed()) break;
  }
  socket.close(ignored);
}

}  // namespace rowhouse

#include "tests/bench/plain_peer.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "common/net/stream.h"
#include "common/refusal.h"
#include "common/status_macros.h"

namespace rowhouse {
namespace {

using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

// Over all that remains, as WriteAll does it.
asio::awaitable<absl::Status> ReadAll(StreamSocket& socket, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    auto [error, taken] =
        co_await socket.async_read_some(asio::buffer(bytes.data(), bytes.size()), kAwaitTuple);
    if (error) co_return Refuse(RefusalReason::kDisconnected, error.message());
    bytes = bytes.subspan(taken);
  }
  co_return absl::OkStatus();
}

asio::awaitable<void> ServeOne(StreamSocket socket) {
  PlainSizes sizes;
  if (!(co_await ReadAll(socket, std::as_writable_bytes(std::span(&sizes, 1)))).ok()) co_return;
  std::vector<std::byte> request(sizes.request_bytes);
  const std::vector<std::byte> answer(sizes.answer_bytes, std::byte{1});
  while (true) {
    if (!(co_await ReadAll(socket, request)).ok()) co_return;
    if (!(co_await WriteAll(socket, answer)).ok()) co_return;
  }
}

asio::awaitable<void> Accept(tcp::acceptor& acceptor) {
  while (true) {
    auto [error, socket] = co_await acceptor.async_accept(kAwaitTuple);
    if (error) co_return;
    socket.set_option(tcp::no_delay(true), error);
    asio::co_spawn(acceptor.get_executor(), ServeOne(StreamSocket(std::move(socket))),
                   asio::detached);
  }
}

// One client connection: a coroutine that sends, one that receives, and what they share.
class Load {
 public:
  Load(const PlainSizes& sizes, uint32_t in_flight, double seconds)
      : request_(sizes.request_bytes, std::byte{2}),
        answer_(sizes.answer_bytes),
        sizes_(sizes),
        in_flight_max_(in_flight),
        room_(loop_, Clock::time_point::max()),
        duration_(
            std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))) {}

  absl::StatusOr<LoadResult> Run(uint16_t port) {
    asio::co_spawn(loop_, Start(port), asio::detached);
    loop_.run();
    RETURN_IF_ERROR(outcome_);
    return LoadResult{answered_, std::chrono::duration<double>(Clock::now() - begin_).count(),
                      std::move(latencies_ms_)};
  }

 private:
  asio::awaitable<void> Start(uint16_t port) {
    Endpoint endpoint;
    endpoint.host = "127.0.0.1";
    endpoint.port = port;
    auto connected = co_await ConnectTo(endpoint);
    outcome_ = connected.status();
    if (!outcome_.ok()) co_return;
    socket_ = std::make_unique<StreamSocket>(std::move(*connected));
    outcome_ = co_await WriteAll(*socket_, std::as_bytes(std::span(&sizes_, 1)));
    begin_ = Clock::now();
    asio::co_spawn(loop_, Send(), asio::detached);
    asio::co_spawn(loop_, Receive(), asio::detached);
  }

  bool over() const { return !outcome_.ok() || Clock::now() - begin_ >= duration_; }
  bool all_answered() const { return !sending_ && answered_ == sent_; }

  asio::awaitable<void> Send() {
    while (!over()) {
      if (sent_ - answered_ >= in_flight_max_) {
        co_await room_.async_wait(kAwaitTuple);
        continue;
      }
      ++sent_;
      sent_at_.push_back(Clock::now());
      const absl::Status written = co_await WriteAll(*socket_, request_);
      if (!written.ok()) outcome_ = written;
    }
    sending_ = false;
    boost::system::error_code ignored;
    if (answered_ == sent_) socket_->cancel(ignored);  // Receive waits for nothing
  }

  asio::awaitable<void> Receive() {
    while (!all_answered()) {
      const absl::Status read = co_await ReadAll(*socket_, answer_);
      if (all_answered()) break;
      room_.cancel();
      if (!read.ok()) {
        outcome_ = read;
        break;
      }
      ++answered_;
      latencies_ms_.push_back(
          std::chrono::duration<float, std::milli>(Clock::now() - sent_at_.front()).count());
      sent_at_.pop_front();
    }
  }

  asio::io_context loop_{1};
  const std::vector<std::byte> request_;
  std::vector<std::byte> answer_;
  const PlainSizes sizes_;
  const uint64_t in_flight_max_;
  asio::steady_timer room_;  // wakes Send
  const Clock::duration duration_;
  std::unique_ptr<StreamSocket> socket_;
  Clock::time_point begin_;
  std::deque<Clock::time_point> sent_at_;  // of what is not answered yet
  std::vector<float> latencies_ms_;
  uint64_t sent_ = 0;
  uint64_t answered_ = 0;
  bool sending_ = true;
  absl::Status outcome_;
};

}  // namespace

absl::StatusOr<PlainListener> ListenPlain() {
  PlainListener listener;
  listener.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof(address);
  auto* const at = reinterpret_cast<sockaddr*>(&address);
  if (listener.fd < 0 || ::bind(listener.fd, at, bytes) != 0 || ::listen(listener.fd, 16) != 0 ||
      ::getsockname(listener.fd, at, &bytes) != 0) {
    return absl::UnavailableError("cannot listen on a loopback port");
  }
  listener.port = ntohs(address.sin_port);
  return listener;
}

void ServePlain(int listener_fd) {
  asio::io_context loop(1);
  tcp::acceptor acceptor(loop, tcp::v4(), listener_fd);
  asio::co_spawn(loop, Accept(acceptor), asio::detached);
  loop.run();
}

absl::StatusOr<LoadResult> PlainLoad(uint16_t port, const PlainSizes& sizes, uint32_t in_flight,
                                     double seconds) {
  return Load(sizes, in_flight, seconds).Run(port);
}

}  // namespace rowhouse

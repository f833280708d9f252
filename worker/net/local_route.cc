#include "worker/net/local_route.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "common/net/tcp_ends.h"
#include "common/refusal.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "worker/net/control_exchange.h"
#include "worker/net/waits.h"

namespace rowhouse {
namespace {

using asio::experimental::awaitable_operators::operator||;

// The server has just answered over TCP: it will not need so long.
constexpr uint32_t kAttemptTimeoutMs = 1000;

absl::Status NotUsable(const std::string& path, std::string_view why) {
  return Refuse(RefusalReason::kDisconnected, "socket ", path, ": ", why);
}

// Of another user's socket nothing is known, and a server may name any path.
absl::Status CheckFile(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) return NotUsable(path, "it cannot be seen from here");
  if (!S_ISSOCK(info.st_mode)) return NotUsable(path, "it is no socket");
  if (info.st_uid != ::geteuid()) return NotUsable(path, "it belongs to another user");
  return absl::OkStatus();
}

bool IsOwnUser(StreamSocket& socket) {
  ucred peer;
  socklen_t bytes = sizeof(peer);
  return ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
         peer.uid == ::geteuid();
}

absl::StatusOr<Endpoint> EndpointOf(const std::string& path) {
  if (!path.starts_with('/')) return NotUsable(path, "its path is not absolute");
  ASSIGN_OR_RETURN(Endpoint endpoint, ParseEndpoint(StrCat("unix:", path)));
  RETURN_IF_ERROR(CheckFile(path));
  return endpoint;
}

asio::awaitable<absl::Status> Attempt(const HelloAnswer& answer, const Hello& hello,
                                      size_t frame_bytes_max, std::optional<LocalStream>* out) {
  const std::string& path = answer.local.path;
  absl::StatusOr<Endpoint> endpoint = EndpointOf(path);
  if (!endpoint.ok()) co_return endpoint.status();
  absl::StatusOr<StreamSocket> socket = co_await ConnectTo(*std::move(endpoint));
  if (!socket.ok()) co_return socket.status();
  if (!IsOwnUser(*socket)) co_return NotUsable(path, "another user's process listens there");
  FrameReader reader(frame_bytes_max);
  absl::StatusOr<HelloAnswer> local = co_await Ask<HelloAnswer>(*socket, reader, Op::kHello, hello);
  if (!local.ok()) co_return NotUsable(path, std::string(local.status().message()));
  if (local->local.server_life != answer.local.server_life || local->timeline != answer.timeline) {
    co_return NotUsable(path, "another server answers there");
  }
  out->emplace(LocalStream{*std::move(socket), std::move(reader)});
  co_return absl::OkStatus();
}

}  // namespace

bool IsLocalOffer(const StreamSocket& tcp, const LocalSocket& offer) {
  if (offer.path.empty()) return false;
  const std::optional<TcpEnds> ends = TcpEndsOf(tcp);
  return ends.has_value() && ends->same_host && ends->near == offer.client_end &&
         ends->far == offer.server_end;
}

asio::awaitable<absl::Status> ConnectLocally(HelloAnswer answer, Hello hello,
                                             size_t frame_bytes_max,
                                             std::optional<LocalStream>* out) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  auto ended =
      co_await (Attempt(answer, hello, frame_bytes_max, out) || WaitFor(timer, kAttemptTimeoutMs));
  if (ended.index() == 0) co_return std::get<0>(std::move(ended));
  co_return NotUsable(answer.local.path, "no answer in time");
}

}  // namespace rowhouse

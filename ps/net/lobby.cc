#include "ps/net/lobby.h"

#include <glog/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <utility>

#include "common/net/tcp_ends.h"
#include "common/refusal.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/frame_builder.h"
#include "ps/net/close_gently.h"

namespace rowhouse {
namespace {

using asio::ip::tcp;
using asio::local::stream_protocol;
using boost::system::error_code;

// A hello is some sixty bytes; nobody gets more memory before being greeted.
constexpr size_t kHelloFrameBytesMax = 4096;
constexpr uint32_t kCloseTimeoutMs = 1000;
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

absl::Status CannotListen(const Endpoint& endpoint, const error_code& error) {
  return absl::UnavailableError(
      StrCat("cannot listen on ", ToString(endpoint), ": ", error.message(),
             error == asio::error::address_in_use
                 ? "; another server or a file may be there: choose another --listen"
                 : "; check --listen"));
}

// `mode`: of a socket file. Given to the socket before it has a name, so that nobody else can open
// it even for a moment.
template <typename Acceptor>
error_code OpenAcceptor(Acceptor& acceptor, const typename Acceptor::endpoint_type& at,
                        std::optional<mode_t> mode = std::nullopt) {
  error_code error;
  acceptor.open(at.protocol(), error);
  if (!error && mode.has_value() && ::fchmod(acceptor.native_handle(), *mode) != 0) {
    error.assign(errno, boost::system::system_category());
  }
  // Else a server that starts again waits for the old connections' TIME_WAIT.
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(at, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return error;
}

// A socket file that nobody listens behind is left over from a server that was killed. A file of
// any other kind refuses connections too, but it is somebody's.
bool IsStale(asio::io_context& loop, const stream_protocol::endpoint& at) {
  struct stat info;
  if (::lstat(at.path().c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  stream_protocol::socket probe(loop);
  error_code error;
  probe.connect(at, error);
  return error == asio::error::connection_refused;
}

}  // namespace

Lobby::Lobby(ServerFacts facts, std::vector<ShardHost*> hosts, ServerContext* context)
    : facts_(std::move(facts)),
      hosts_(std::move(hosts)),
      context_(context),
      work_(asio::make_work_guard(loop_)) {}

Lobby::~Lobby() { Stop(); }

absl::Status Lobby::Listen(const Endpoint& endpoint) {
  if (!endpoint.is_unix()) return ListenTcp(endpoint);
  if (const error_code error = ListenUnix(endpoint.path)) return CannotListen(endpoint, error);
  endpoints_.push_back(ToString(endpoint));
  return absl::OkStatus();
}

absl::Status Lobby::ListenLocally(const std::string& path) {
  ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(StrCat("unix:", path)));
  if (const error_code error = ListenUnix(endpoint.path, S_IRUSR | S_IWUSR)) {
    return absl::UnavailableError(StrCat("cannot listen on ", path, ": ", error.message()));
  }
  local_socket_ = path;
  return absl::OkStatus();
}

absl::Status Lobby::ListenTcp(const Endpoint& endpoint) {
  error_code error;
  tcp::resolver resolver(loop_);
  const auto found =
      resolver.resolve(endpoint.host, std::to_string(endpoint.port), tcp::resolver::passive, error);
  if (error || found.empty()) return CannotListen(endpoint, error);
  tcp::acceptor acceptor(loop_);
  error = OpenAcceptor(acceptor, found.begin()->endpoint());
  if (error) return CannotListen(endpoint, error);
  Endpoint bound = endpoint;
  bound.port = acceptor.local_endpoint(error).port();
  endpoints_.push_back(ToString(bound));
  tcp_.push_back(std::move(acceptor));
  return absl::OkStatus();
}

boost::system::error_code Lobby::ListenUnix(const std::string& path, std::optional<mode_t> mode) {
  const stream_protocol::endpoint at(path);
  if (IsStale(loop_, at)) ::unlink(path.c_str());
  stream_protocol::acceptor acceptor(loop_);
  if (const error_code error = OpenAcceptor(acceptor, at, mode)) return error;
  unix_paths_.push_back(path);
  unix_.push_back(std::move(acceptor));
  return {};
}

void Lobby::Start() {
  for (auto& acceptor : tcp_) asio::co_spawn(loop_, Accept(acceptor), asio::detached);
  for (auto& acceptor : unix_) asio::co_spawn(loop_, Accept(acceptor), asio::detached);
  thread_ = std::thread([this] { loop_.run(); });
}

void Lobby::Stop() {
  loop_.stop();
  if (thread_.joinable()) thread_.join();
  tcp_.clear();
  unix_.clear();
  for (const std::string& path : std::exchange(unix_paths_, {})) ::unlink(path.c_str());
}

template <typename Acceptor>
asio::awaitable<void> Lobby::Accept(Acceptor& acceptor) {
  while (true) {
    auto [error, socket] = co_await acceptor.async_accept(kAwaitTuple);
    if (error) {
      // Out of descriptors, most likely: wait rather than spin.
      LOG_EVERY_N(WARNING, 100) << "cannot accept a connection: " << error.message();
      asio::steady_timer pause(loop_, kAcceptPause);
      co_await pause.async_wait(kAwaitTuple);
      continue;
    }
    if constexpr (std::is_same_v<Acceptor, tcp::acceptor>) {
      socket.set_option(tcp::no_delay(true), error);
    }
    asio::co_spawn(loop_, Receive(StreamSocket(std::move(socket))), asio::detached);
  }
}

asio::awaitable<void> Lobby::Receive(StreamSocket socket) {
  auto slot = std::make_unique<ConnectionSlot>(context_);
  FrameReader reader(kHelloFrameBytesMax);
  bool late = false;
  absl::Status refusal;
  {
    Deadline deadline(socket, context_->options.hello_timeout_ms);
    refusal = co_await Welcome(socket, reader, slot, deadline);
    late = deadline.passed();
  }
  if (refusal.ok() || (ReasonOf(refusal) == RefusalReason::kDisconnected && !late)) co_return;
  if (late) {
    refusal = Refuse(RefusalReason::kDeadline, "no hello within ",
                     context_->options.hello_timeout_ms, " ms (hello_timeout_ms)");
  }
  context_->refusals.Count(refusal);
  LOG_EVERY_N(WARNING, 100) << "connection refused: " << refusal.message();
  const OutFrame frame = MakeErrorFrame(0, refusal);
  co_await WriteAll(socket, frame.bytes());
  co_await CloseGently(socket, kCloseTimeoutMs);
}

// OK: the connection has been handed on, or answered and closed.
asio::awaitable<absl::Status> Lobby::Welcome(StreamSocket& socket, FrameReader& reader,
                                             std::unique_ptr<ConnectionSlot>& slot,
                                             Deadline& deadline) {
  const uint32_t connections_max = context_->options.connections_max;
  if (context_->connections > connections_max) {
    co_return Refuse(RefusalReason::kTooManyConnections, "this server has ", connections_max,
                     " connections (connections_max)");
  }
  const absl::StatusOr<ReceivedFrame> frame = co_await reader.Next(socket);
  if (!frame.ok()) co_return frame.status();
  absl::StatusOr<Greeting> greeting = Greet(facts_, *frame);
  if (!greeting.ok()) co_return greeting.status();
  OfferLocalSocket(socket, &greeting->answer.local);
  OutFrame answer = MakeControlFrame(Op::kHelloAnswer, frame->header.request_id, greeting->answer);
  if (greeting->hello.shard == kNoShard) {
    const absl::Status written = co_await WriteAll(socket, answer.bytes());
    deadline.Disarm();
    co_await CloseGently(socket, kCloseTimeoutMs);
    co_return written;
  }
  VLOG(1) << "'" << greeting->hello.program << "' talks to shard " << greeting->hello.shard;
  deadline.Disarm();
  reader.set_frame_bytes_max(facts_.frame_bytes_max);
  HostOf(greeting->hello.shard)
      ->Adopt(std::move(socket), std::move(reader), std::move(slot), std::move(answer));
  co_return absl::OkStatus();
}

void Lobby::OfferLocalSocket(const StreamSocket& socket, LocalSocket* offer) const {
  if (local_socket_.empty()) return;
  std::optional<TcpEnds> ends = TcpEndsOf(socket);
  if (!ends.has_value() || !ends->same_host) return;
  offer->path = local_socket_;
  offer->client_end = std::move(ends->far);
  offer->server_end = std::move(ends->near);
}

ShardHost* Lobby::HostOf(ShardId shard) const {
  for (ShardHost* host : hosts_) {
    if (host->shard_id() == shard) return host;
  }
  return nullptr;
}

}  // namespace rowhouse

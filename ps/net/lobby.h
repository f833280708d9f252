// The lobby: listens, reads each connection's hello, and hands the connection to the shard that it
// asks for. So one endpoint serves all shards of a server, and from there on no shard shares
// anything with another.
//
// Threading: its own event loop on its own thread; Start, Stop and endpoints from outside.
// Errors: Listen names the endpoint and what to do.
#pragma once

#include <sys/types.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "common/net/deadline.h"
#include "common/net/stream.h"
#include "ps/net/greeting.h"
#include "ps/net/server_context.h"
#include "ps/net/shard_host.h"

namespace rowhouse {

class Lobby {
 public:
  // `hosts` and `context` outlive the lobby.
  Lobby(ServerFacts facts, std::vector<ShardHost*> hosts, ServerContext* context);
  ~Lobby();

  absl::Status Listen(const Endpoint& endpoint);
  // Also for clients that come over TCP from this host and user: they are told of it in the hello's
  // answer. Nobody else can open it.
  absl::Status ListenLocally(const std::string& path);
  void Start();
  // Listens no more and drops whoever has not been greeted.
  void Stop();

  std::vector<std::string> endpoints() const { return endpoints_; }
  bool listens_on_tcp() const { return !tcp_.empty(); }
  // Empty: there is none.
  const std::string& local_socket() const { return local_socket_; }

 private:
  absl::Status ListenTcp(const Endpoint& endpoint);
  boost::system::error_code ListenUnix(const std::string& path,
                                       std::optional<mode_t> mode = std::nullopt);
  template <typename Acceptor>
  asio::awaitable<void> Accept(Acceptor& acceptor);
  asio::awaitable<void> Receive(StreamSocket socket);
  asio::awaitable<absl::Status> Welcome(StreamSocket& socket, FrameReader& reader,
                                        std::unique_ptr<ConnectionSlot>& slot, Deadline& deadline);
  ShardHost* HostOf(ShardId shard) const;
  void OfferLocalSocket(const StreamSocket& socket, LocalSocket* offer) const;

  const ServerFacts facts_;
  const std::vector<ShardHost*> hosts_;
  ServerContext* const context_;

  asio::io_context loop_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::list<asio::ip::tcp::acceptor> tcp_;
  std::list<asio::local::stream_protocol::acceptor> unix_;
  std::vector<std::string> endpoints_;
  std::vector<std::string> unix_paths_;
  std::string local_socket_;
  std::thread thread_;
};

}  // namespace rowhouse

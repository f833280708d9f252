// Finds the shards of a cluster and opens a client on all of them, trying again while servers are
// still starting.
//
// Threading: the loop's thread.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/endpoint.h"
#include "worker/client.h"
#include "worker/client/backoff.h"
#include "worker/client/cluster_view.h"
#include "worker/net/shard_link.h"

namespace rowhouse {

class ClusterConnector {
 public:
  // Everything passed by reference outlives the connector.
  ClusterConnector(asio::any_io_executor executor, const ClientOptions& options,
                   const LinkEvents& events);

  // Fills view, identity (but its client) and links: established and, unless the client is
  // read-only, opened.
  // Errors: kDeadline after connect_timeout_ms, with the last reason; what cannot be helped by
  //   trying again comes at once.
  asio::awaitable<absl::Status> Connect(ClusterView* view, LinkIdentity* identity,
                                        std::vector<std::unique_ptr<ShardLink>>* links);

 private:
  using Attempt = std::function<asio::awaitable<absl::Status>()>;

  asio::awaitable<absl::Status> Steps(ClusterView* view, LinkIdentity* identity,
                                      std::vector<std::unique_ptr<ShardLink>>* links);
  asio::awaitable<absl::Status> DescribeServers(ClusterView* view);
  asio::awaitable<absl::Status> DescribeServer(const Endpoint& endpoint, HelloAnswer* answer);
  asio::awaitable<absl::Status> EstablishLinks(
      const std::vector<std::unique_ptr<ShardLink>>& links);
  asio::awaitable<absl::Status> OpenLinks(LinkIdentity* identity,
                                          const std::vector<std::unique_ptr<ShardLink>>& links);
  asio::awaitable<absl::Status> QueryLink(ShardLink& link, QueryClientAnswer* highest);
  asio::awaitable<absl::Status> OpenLink(ShardLink& link);
  // Attempts until one succeeds or fails in a way that trying again cannot help.
  asio::awaitable<absl::Status> Retry(const std::string& where, Attempt attempt);

  asio::any_io_executor executor_;
  const ClientOptions& options_;
  const LinkEvents& events_;
  std::vector<Endpoint> endpoints_;
  Backoff backoff_;
  asio::steady_timer backoff_timer_;
  asio::steady_timer timeout_timer_;
  std::string last_reason_;
};

}  // namespace rowhouse

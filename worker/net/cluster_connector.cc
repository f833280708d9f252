#include "worker/net/cluster_connector.h"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <utility>

#include "common/fingerprint.h"
#include "common/refusal.h"
#include "common/status_macros.h"
#include "worker/client/status_text.h"
#include "worker/net/control_exchange.h"
#include "worker/net/waits.h"

namespace rowhouse {
namespace {

using asio::experimental::awaitable_operators::operator||;

absl::StatusOr<std::vector<Endpoint>> ParseServers(const std::vector<std::string>& servers) {
  std::vector<Endpoint> endpoints;
  for (const std::string& server : servers) {
    ASSIGN_OR_RETURN(Endpoint endpoint, ParseEndpoint(server));
    if (std::find(endpoints.begin(), endpoints.end(), endpoint) != endpoints.end()) {
      return absl::InvalidArgumentError(StrCat("server ", server, " is named twice"));
    }
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

}  // namespace

ClusterConnector::ClusterConnector(asio::any_io_executor executor, const ClientOptions& options,
                                   const LinkEvents& events)
    : executor_(executor),
      options_(options),
      events_(events),
      backoff_(options.backoff_min_ms, options.backoff_max_ms, options.random_seed),
      backoff_timer_(executor),
      timeout_timer_(executor) {}

asio::awaitable<absl::Status> ClusterConnector::Connect(
    ClusterView* view, LinkIdentity* identity, std::vector<std::unique_ptr<ShardLink>>* links) {
  auto endpoints = ParseServers(options_.servers);
  if (!endpoints.ok()) co_return endpoints.status();
  endpoints_ = *std::move(endpoints);
  auto ended = co_await (Steps(view, identity, links) ||
                         WaitFor(timeout_timer_, options_.connect_timeout_ms));
  if (ended.index() == 0) co_return std::get<0>(std::move(ended));
  co_return Refuse(RefusalReason::kDeadline, "no connection to the cluster within ",
                   options_.connect_timeout_ms, " ms; last reason: ", last_reason_);
}

asio::awaitable<absl::Status> ClusterConnector::Steps(
    ClusterView* view, LinkIdentity* identity, std::vector<std::unique_ptr<ShardLink>>* links) {
  absl::Status status = co_await DescribeServers(view);
  if (!status.ok()) co_return status;
  identity->timeline = view->timeline;
  for (uint32_t i = 0; i < view->shard_count; ++i) {
    links->push_back(std::make_unique<ShardLink>(executor_, endpoints_[view->hosts[i]], ShardId(i),
                                                 options_, *identity, events_,
                                                 Mix64(options_.random_seed + i + 1)));
  }
  if (options_.read_only) {
    status = co_await EstablishLinks(*links);
  } else {
    status = co_await OpenLinks(identity, *links);
  }
  co_return status;
}

asio::awaitable<absl::Status> ClusterConnector::EstablishLinks(
    const std::vector<std::unique_ptr<ShardLink>>& links) {
  for (const auto& link : links) {
    Attempt attempt = [&link] { return link->Establish(); };
    absl::Status status = co_await Retry(link->where(), std::move(attempt));
    if (!status.ok()) co_return status;
  }
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> ClusterConnector::OpenLinks(
    LinkIdentity* identity, const std::vector<std::unique_ptr<ShardLink>>& links) {
  QueryClientAnswer highest;
  for (const auto& link : links) {
    absl::Status status = co_await QueryLink(*link, &highest);
    if (!status.ok()) co_return status;
  }
  identity->incarnation = Incarnation(highest.incarnation.value() + 1);
  for (const auto& link : links) {
    absl::Status status = co_await OpenLink(*link);
    if (!status.ok()) co_return status;
  }
  identity->registered_mark = identity->mark;
  for (const auto& link : links) {
    // As of the opening, not of the query: until then a former life may still have pushed.
    identity->last_step = std::max(identity->last_step, link->opened_step());
    identity->registered_mark = std::min(identity->registered_mark, link->opened_mark());
  }
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> ClusterConnector::DescribeServers(ClusterView* view) {
  std::vector<ServerAnswer> answers;
  for (const Endpoint& endpoint : endpoints_) {
    ServerAnswer& server = answers.emplace_back();
    server.server = ToString(endpoint);
    Attempt attempt = [this, &endpoint, &server] {
      return DescribeServer(endpoint, &server.answer);
    };
    absl::Status status = co_await Retry(server.server, std::move(attempt));
    if (!status.ok()) co_return status;
  }
  absl::StatusOr<ClusterView> combined = CombineAnswers(answers);
  if (!combined.ok()) co_return combined.status();
  *view = *std::move(combined);
  view->limits.frame_bytes_max = std::min(view->limits.frame_bytes_max, options_.frame_bytes_max);
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> ClusterConnector::DescribeServer(const Endpoint& endpoint,
                                                               HelloAnswer* answer) {
  absl::StatusOr<StreamSocket> socket = co_await ConnectTo(endpoint);
  if (!socket.ok()) co_return socket.status();
  FrameReader reader(options_.frame_bytes_max);
  Hello hello = MakeHello(kNoShard, Timeline(0), options_.program);
  absl::StatusOr<HelloAnswer> asked =
      co_await Ask<HelloAnswer>(*socket, reader, Op::kHello, std::move(hello));
  if (!asked.ok()) co_return At(ToString(endpoint), asked.status());
  *answer = *std::move(asked);
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> ClusterConnector::QueryLink(ShardLink& link,
                                                          QueryClientAnswer* highest) {
  Attempt attempt = [&link, highest]() -> asio::awaitable<absl::Status> {
    absl::Status status = co_await link.Establish();
    if (!status.ok()) co_return status;
    absl::StatusOr<QueryClientAnswer> known = co_await link.Query();
    if (!known.ok()) co_return known.status();
    highest->incarnation = std::max(highest->incarnation, known->incarnation);
    co_return absl::OkStatus();
  };
  absl::Status status = co_await Retry(link.where(), std::move(attempt));
  co_return status;
}

asio::awaitable<absl::Status> ClusterConnector::OpenLink(ShardLink& link) {
  Attempt attempt = [&link]() -> asio::awaitable<absl::Status> {
    absl::Status status;
    if (!link.established()) status = co_await link.Establish();
    if (!status.ok()) co_return status;
    status = co_await link.Open();
    co_return status;
  };
  absl::Status status = co_await Retry(link.where(), std::move(attempt));
  co_return status;
}

asio::awaitable<absl::Status> ClusterConnector::Retry(const std::string& where, Attempt attempt) {
  backoff_.Reset();
  last_reason_ = StrCat(where, " has not answered");
  const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
  while (true) {
    absl::Status status = co_await attempt();
    if (status.ok() || !MayConnectAgain(status)) co_return status;
    // The end of the time is not a reason: the one before it is.
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return status;
    last_reason_ = std::string(status.message());
    co_await WaitFor(backoff_timer_, backoff_.NextMs());
  }
}

}  // namespace rowhouse

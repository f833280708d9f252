#include "tests/integration/cluster_fixture.h"

#include <utility>

#include "common/text.h"

namespace rowhouse {

TestCluster::TestCluster(ClusterShape shape, std::function<void(ServerOptions*)> configure)
    : shape_(shape),
      configure_(std::move(configure)),
      servers_(shape.servers),
      endpoints_(shape.servers) {
  for (uint32_t i = 0; i < shape.servers; ++i) StartServer(i);
}

ServerOptions TestCluster::OptionsOf(uint32_t server) const {
  ServerOptions options;
  options.listen = {endpoints_[server].empty() ? "127.0.0.1:0" : endpoints_[server]};
  options.data_dir = StrCat(dir_.path(), "/server-", server);
  options.shards = shape_.shards;
  options.server_index = server;
  options.server_count = shape_.servers;
  configure_(&options);
  return options;
}

void TestCluster::StartServer(uint32_t server) {
  auto started = Server::Start(OptionsOf(server));
  ASSERT_TRUE(started.ok()) << started.status();
  servers_[server] = *std::move(started);
  // A server that is started again listens where it did, and others may be reading where that is.
  const std::string endpoint = servers_[server]->endpoints().front();
  if (endpoints_[server] != endpoint) endpoints_[server] = endpoint;
}

void TestCluster::StopServer(uint32_t server) { servers_[server].reset(); }

ClientOptions TestCluster::client_options() const {
  ClientOptions options;
  options.servers = endpoints_;
  options.program = "client test";
  options.backoff_min_ms = 1;
  options.backoff_max_ms = 20;
  return options;
}

std::unique_ptr<Client> TestCluster::Connect(const ClientOptions& options) {
  auto client = Client::Connect(options);
  EXPECT_TRUE(client.ok()) << client.status();
  return client.ok() ? *std::move(client) : nullptr;
}

TableSpec UniformTable(const std::string& name, uint32_t dim) {
  TableSpec spec;
  spec.name = name;
  spec.dim = dim;
  spec.seed = 42;
  spec.initializer = Initializer::Uniform(-0.5f, 0.5f);
  spec.adagrad.lr = 0.1;
  spec.adagrad.lr_decay = 0.01;
  return spec;
}

uint64_t CounterOf(const StatsAnswer& stats, const std::string& name) {
  for (const Counter& counter : stats.counters) {
    if (counter.name == name) return counter.value;
  }
  ADD_FAILURE() << "no counter " << name;
  return 0;
}

uint64_t CounterOf(Client& client, const std::string& name) {
  const auto stats = client.Stats();
  EXPECT_TRUE(stats.ok()) << stats.status();
  uint64_t sum = 0;
  for (const StatsAnswer& shard : stats.value_or(std::vector<StatsAnswer>{})) {
    sum += CounterOf(shard, name);
  }
  return sum;
}

}  // namespace rowhouse

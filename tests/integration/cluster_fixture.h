// Servers inside the test's process, in temporary directories, on loopback ports.
//
//   TestCluster cluster({.servers = 2, .shards = 3});
//   auto client = cluster.Connect();
//   cluster.StopServer(0);  cluster.StartServer(0);  // the same port, the same data
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ps/net/server.h"
#include "tests/support/temp_dir.h"
#include "worker/client.h"

namespace rowhouse {

struct ClusterShape {
  uint32_t servers = 1;
  uint32_t shards = 1;  // per server
};

class TestCluster {
 public:
  // `configure` may change options of every server before it starts.
  explicit TestCluster(
      ClusterShape shape, std::function<void(ServerOptions*)> configure = [](ServerOptions*) {});
  TestCluster(const TestCluster&) = delete;

  // Where it listened before, if it did.
  void StartServer(uint32_t server);
  void StopServer(uint32_t server);
  Server* server(uint32_t server) { return servers_[server].get(); }

  const std::vector<std::string>& endpoints() const { return endpoints_; }
  ClientOptions client_options() const;
  std::unique_ptr<Client> Connect() const { return Connect(client_options()); }
  static std::unique_ptr<Client> Connect(const ClientOptions& options);

 private:
  ServerOptions OptionsOf(uint32_t server) const;

  ClusterShape shape_;
  std::function<void(ServerOptions*)> configure_;
  TempDir dir_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<std::string> endpoints_;
};

TableSpec UniformTable(const std::string& name, uint32_t dim);

// Of one shard, by name; fails the test where there is none.
uint64_t CounterOf(const StatsAnswer& stats, const std::string& name);
// Summed over all shards.
uint64_t CounterOf(Client& client, const std::string& name);

}  // namespace rowhouse

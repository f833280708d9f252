#include "common/cluster_file.h"

#include <algorithm>

#include "common/config.h"
#include "common/endpoint.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace rowhouse {
namespace {

constexpr uint32_t kShardsPerServerMax = 256;

// Unlike the endpoint to listen on, one to connect to needs a port.
absl::Status CheckEndpoint(std::string_view text) {
  ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(text));
  if (endpoint.is_unix() || endpoint.port != 0) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("endpoint '", text, "': port 0 cannot be connected to"));
}

absl::Status CheckServers(const ClusterFile& cluster, std::string_view file) {
  const auto& servers = cluster.servers;
  if (servers.empty()) {
    return absl::InvalidArgumentError(
        StrCat(file, ": servers is missing; expected [cluster] servers = [\"host:port\", ...]"));
  }
  for (size_t i = 0; i < servers.size(); ++i) {
    const std::string where = StrCat(file, ": servers[", i, "] ");
    if (absl::Status status = CheckEndpoint(servers[i]); !status.ok()) {
      return absl::InvalidArgumentError(StrCat(where, std::string(status.message())));
    }
    const auto first = std::find(servers.begin(), servers.end(), servers[i]);
    if (first != servers.begin() + i) {
      return absl::InvalidArgumentError(StrCat(where, servers[i], " is also servers[",
                                               first - servers.begin(),
                                               "]; each server is listed once"));
    }
  }
  if (cluster.shard_count() > kShardCountMax) {
    return absl::InvalidArgumentError(StrCat(file, ": ", cluster.shard_count(),
                                             " shards (servers times shards_per_server), at most ",
                                             kShardCountMax, " are possible"));
  }
  return absl::OkStatus();
}

Settings ClusterSettings(ClusterFile& cluster) {
  Settings settings;
  settings.Section("cluster", "Cluster");
  settings.TextList("servers", &cluster.servers, "HOST:PORT", "Every server of the cluster");
  settings.Integer("shards_per_server", &cluster.shards_per_server, {1, kShardsPerServerMax},
                   "shards", "Shards that each server hosts");
  return settings;
}

}  // namespace

absl::StatusOr<ClusterFile> ParseClusterFile(std::string_view text, std::string_view file) {
  ClusterFile cluster;
  Settings settings = ClusterSettings(cluster);
  RETURN_IF_ERROR(settings.LoadToml(text, file));
  RETURN_IF_ERROR(CheckServers(cluster, file));
  return cluster;
}

absl::StatusOr<ClusterFile> ReadClusterFile(const std::string& path) {
  ClusterFile cluster;
  Settings settings = ClusterSettings(cluster);
  RETURN_IF_ERROR(settings.LoadTomlFile(path));
  RETURN_IF_ERROR(CheckServers(cluster, path));
  return cluster;
}

}  // namespace rowhouse

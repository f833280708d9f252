// Which server hosts which shard, as the servers themselves tell it.
//
// Threading: plain values and a free function.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types.h"
#include "common/wire/control.h"
#include "worker/client/pull_packing.h"

namespace rowhouse {

struct ServerAnswer {
  std::string server;  // endpoint, for messages
  HelloAnswer answer;
};

struct ClusterView {
  Timeline timeline;
  Epoch epoch;
  uint32_t shard_count = 0;
  std::vector<uint32_t> hosts;  // [shard_count]: index of the server that hosts each shard
  RequestLimits limits;         // the strictest of all servers'
};

// Errors: the servers are of different clusters, a shard is hosted by none or by two of them, or an
//   answer makes no sense. Messages name the servers.
absl::StatusOr<ClusterView> CombineAnswers(std::span<const ServerAnswer> answers);

}  // namespace rowhouse

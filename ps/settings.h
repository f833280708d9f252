// Every setting of rowhouse-ps, bound to the options that it fills.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/config.h"
#include "ps/net/server.h"

namespace rowhouse {

struct ProgramOptions {
  ServerOptions server;
  std::string cluster_file;  // takes the place of listen, shards and server_count
  std::string ready_file;    // written when the server serves
};

// Below it a shard does little but wait for the disk: a batch of rows and the file of a flush have
// to find room in it.
inline constexpr uint64_t kShardMemoryBytesMin = 2ull << 20;

// REQUIRES: `options` outlives the settings.
Settings MakeServerSettings(ProgramOptions* options);
Program ServerProgram();

// Takes listen, shards and server_count from the cluster file where one is given.
// Errors: what the file or the index gets wrong.
absl::Status ApplyClusterFile(const Settings& settings, ProgramOptions* options);

// Errors: a memory budget that gives a shard less than kShardMemoryBytesMin; the least that will do
// is named.
absl::Status CheckMemoryBudget(const ServerOptions& server);

}  // namespace rowhouse

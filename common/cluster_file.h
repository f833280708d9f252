// The cluster file: which servers make up a cluster. Servers and workers read the same one.
//
//   [cluster]
//   servers = ["10.0.0.1:7600", "10.0.0.2:7600"]   # or "unix:/path"
//   shards_per_server = 1
//
// Threading: pure functions.
// Errors: name the file, the line where there is one, and the key.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rowhouse {

struct ClusterFile {
  std::vector<std::string> servers;
  uint32_t shards_per_server = 1;

  uint32_t shard_count() const { return static_cast<uint32_t>(servers.size()) * shards_per_server; }
};

// `file` names the text in messages.
absl::StatusOr<ClusterFile> ParseClusterFile(std::string_view text, std::string_view file);
absl::StatusOr<ClusterFile> ReadClusterFile(const std::string& path);

}  // namespace rowhouse

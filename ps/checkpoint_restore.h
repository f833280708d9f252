// Makes a server's data directory from a checkpoint, for any number of shards.
//
// Each old shard in turn: its files are copied below the new data directory and their checksums
// verified, it is recovered as after a crash but with the checkpoint's cut, and its rows are
// written to the new shards that own their slots. Tables, clients and the announced mark are what
// all old shards together knew; every client counts as left. Rows keep their LSNs; each new log
// begins above all of them. The new shards are of a new timeline. IDENTITY files are written last,
// so what a broken restore leaves is not taken for a data directory.
//
// Threading: one thread.
// Errors: name the file and what to do; DataLoss for a damaged checkpoint.
// Cost: one old shard at a time is on disk twice, and in memory within memory_bytes_max.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/checkpoint_manifest.h"
#include "common/types.h"

namespace rowhouse {

struct CheckpointRestoreOptions {
  std::string manifest_path;
  std::string data_dir;  // must be absent or empty
  uint32_t shards = 1;   // on this server
  uint32_t server_index = 0;
  uint32_t server_count = 1;
  // 0: a fresh one; with more than one server it must be given, the same to all of them and another
  // for every restore.
  Timeline timeline;
  uint64_t memory_bytes_max = 4ull << 30;  // for rows; 0: no limit
};

struct CheckpointRestoreProgress {
  uint32_t shard = 0;  // old ones done
  uint32_t shard_count = 0;
  uint64_t bytes_done = 0;  // of the checkpoint's files verified
  uint64_t bytes_total = 0;
  uint64_t rows = 0;  // written
};
using CheckpointRestoreObserver = std::function<void(const CheckpointRestoreProgress& progress)>;

struct RestoredShard {
  ShardId shard;
  std::string path;
  uint64_t rows = 0;
};

struct CheckpointRestored {
  Mark mark;
  Timeline timeline;
  uint32_t shard_count = 0;
  Lsn lsn;  // the new logs begin above it
  uint64_t tables = 0;
  uint64_t half_steps = 0;
  std::vector<RestoredShard> shards;  // of this server
};

absl::StatusOr<CheckpointRestored> RestoreCheckpoint(const CheckpointRestoreOptions& options,
                                                     const CheckpointRestoreObserver& observe);

// One that no restore had before. Servers of one cluster must be given the same.
Timeline FreshTimeline();

}  // namespace rowhouse

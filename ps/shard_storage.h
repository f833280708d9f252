// What one shard stands on: its directory, its disk tier and its push log, and how a shard comes
// back from them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ps/restore.h"
#include "ps/shard.h"
#include "storage/checksum_cache.h"
#include "storage/data_dir.h"
#include "storage/disk_tier.h"
#include "storage/log_files.h"
#include "storage/posix_log_files.h"
#include "storage/push_log.h"

namespace rowhouse {

struct ShardStorage {
  std::unique_ptr<DataDir> dir;  // null where storage is in memory
  ShardIdentity identity;        // as found in the directory
  std::unique_ptr<DiskTier> disk;
  std::unique_ptr<LogFiles> files;
  std::unique_ptr<PushLog> log;  // made by RestoreShard
  ChecksumCache checksums;       // of the files above, for checkpoint jobs alone
};

// RocksDB and POSIX files below `path`. Errors: see data_dir.h; each names the path.
absl::StatusOr<ShardStorage> OpenShardStorage(const std::string& path,
                                              const ShardIdentity& identity,
                                              LogWrites log_writes = LogWrites::kDirect);

// Fills `shard` with what is stored: bookkeeping, rows, then the log above the watermark; opens the
// log for writing. `found` gets a line of what was read, for the server's log.
absl::Status RestoreShard(const RestoreOptions& options, ShardStorage* storage, Shard* shard,
                          std::string* found);

// Carries out jobs (effects.h). Threading: each one at a time, but RunReadJob from any number of
// threads; of different kinds at once.
LogOutcome RunLogJob(const LogJob& job, PushLog* log);
absl::Status RunFileJob(const FileJob& job, DiskTier* disk);
ReadOutcome RunReadJob(const ReadJob& job, const DiskTier* disk);
// The image of an attempt is named by its number, as 16 hex digits. `checksums`: may be null.
CheckpointOutcome RunCheckpointJob(const CheckpointJob& job, DiskTier* disk, const LogFiles& files,
                                   ChecksumCache* checksums = nullptr);

}  // namespace rowhouse

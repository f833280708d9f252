// The files of a checkpoint's directory: how one shard puts its part there.
//
//   DIR/files/<kind>-<checksum, 16 hex digits>-<bytes>     kind: sst, log, or db for RocksDB's
//   small
//                                                         files
//
// Rows files and closed log segments never change, so they are linked where the file system allows,
// and read once in a process's life: a ChecksumCache remembers them. Everything else is copied.
// What is there already is trusted, and not sent again, only where a manifest of DIR names it: a
// dead attempt may have left half a file. Nothing here needs rename or links of the target.
//
// Files are read and written in pieces, with a pause behind each as long as it took: whoever trains
// has at least half of the disk.
//
// Threading: one user at a time for a shard; several shards, also of several machines, may publish
//   into one directory at once: equal names mean equal bytes.
// Errors: name the path and what to do.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/types.h"
#include "common/wire/checkpoint.h"
#include "storage/checksum_cache.h"
#include "storage/disk_tier.h"
#include "storage/log_files.h"

namespace rowhouse {

// Shared by a shard and the thread that publishes for it.
struct PublishProgress {
  std::atomic<uint64_t> bytes_done = 0;
  std::atomic<uint64_t> bytes_total = 0;
  std::atomic<bool> cancelled = false;  // set by the shard: give up soon
  // What that took: of the shard's files and of earlier manifests, and into the directory.
  std::atomic<uint64_t> bytes_read = 0;
  std::atomic<uint64_t> bytes_written = 0;
};

// A log segment's part that belongs to a checkpoint: whole batches up to the one with the cut.
struct LogPart {
  std::string name;
  uint64_t bytes = 0;
  bool closed = false;  // the whole segment, to which nothing will be added
};

// The parts that hold the records above `watermark` up to `cut`, which is written and synced.
// Errors: DataLoss where they are not all there.
absl::StatusOr<std::vector<LogPart>> FindLogParts(const LogFiles& log, Lsn watermark, Lsn cut);

// All files and directory entries are synced on return. `checksums`: of this shard's files; may be
// null. Errors: DataLoss where a file is not what it was when its checksum was taken.
absl::StatusOr<std::vector<CheckpointFile>> PublishFiles(const std::string& directory,
                                                         const std::vector<FrozenFile>& rows,
                                                         const LogFiles& log,
                                                         const std::vector<LogPart>& log_parts,
                                                         PublishProgress* progress,
                                                         ChecksumCache* checksums = nullptr);

// Copies one file of DIR/files to `path` and checks its size and checksum on the way.
absl::Status FetchCheckpointFile(const std::string& directory, const CheckpointFile& file,
                                 const std::string& path);

}  // namespace rowhouse

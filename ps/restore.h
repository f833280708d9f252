// The two long parts of a start: stored rows are loaded, then the log is replayed over them.
//
// With threads to spare, each is a pipeline: others read, verify and decode; the caller's thread,
// on which the shard lives, inserts and applies. Without, all of it runs on the caller's thread,
// in an order that does not depend on anything but the data: so a simulator may use it.
//
// Errors: DataLoss for what is damaged, naming it; the shard is then of no use.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ps/shard.h"
#include "storage/disk_tier.h"
#include "storage/log_files.h"
#include "storage/push_log.h"

namespace rowhouse {

// Readers of a server's start: two keep one shard's thread busy with rows.
inline constexpr uint32_t kRestoreThreads = 2;

struct RestoreProgress {
  enum class Phase { kRows, kLog, kDone };

  Phase phase = Phase::kRows;
  uint64_t rows = 0;         // loaded
  bool rows_left = false;    // more are on disk than the memory budget has room for
  uint64_t records = 0;      // replayed
  uint64_t record_rows = 0;  // of the pushes among them
  double fraction = 0;       // of the phase
};

// Called on the caller's thread, when a phase begins and whenever something was done: often.
using RestoreObserver = std::function<void(const RestoreProgress& progress)>;

struct RestoreOptions {
  // Implicit: most callers have nothing else to say.
  RestoreOptions(PushLogOptions push_log = {}) : log(push_log) {}  // NOLINT

  PushLogOptions log;
  uint32_t threads = 0;     // beside the caller's
  RestoreObserver observe;  // may be empty
};

// Under a memory budget rows are loaded until they have used it up. REQUIRES: the shard's
// bookkeeping is restored.
absl::Status LoadRows(const RestoreOptions& options, const DiskTier& disk, Shard* shard,
                      RestoreProgress* progress);
// Under a memory budget `disk` is read where a record changes a row that was not loaded, and
// written where changed rows have used the budget up. REQUIRES: rows are loaded. The log that it
// returns is open for writing.
absl::StatusOr<std::unique_ptr<PushLog>> ReplayLog(const RestoreOptions& options, LogFiles* files,
                                                   DiskTier* disk, Shard* shard,
                                                   RestoreProgress* progress);

}  // namespace rowhouse

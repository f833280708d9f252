// Reads a whole push log at start: which segments there are, what is to be replayed, where it ends.
//
// Changes no file; cutting the tail is left to the log that is opened for appending.
// Errors: damage to what is known to have been synced, missing records, a newer format: each names
//   file and offset. A failed `replay` ends the reading with its status.
// Cost: segments wholly at or below the watermark are not read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types.h"
#include "storage/log_files.h"
#include "storage/push_log.h"

namespace rowhouse {

struct LogSegment {
  std::string name;
  Lsn first_lsn;
  uint64_t size_bytes = 0;
  uint32_t format = 0;  // where its header was read or written
};

struct RecoveredLog {
  std::vector<LogSegment> segments;  // in LSN order
  Lsn next_lsn;
  uint64_t tail_bytes = 0;  // the last segment, up to the end of its last whole batch
  // The last segment, up to the end of its last batch that is known to have been synced, and the
  // LSN behind that place.
  uint64_t synced_bytes = 0;
  Lsn first_unsynced;
  std::string cut_message;
};

absl::StatusOr<RecoveredLog> RecoverLog(const LogFiles& files, Lsn watermark, Lsn synced,
                                        const PushLog::Replay& replay);

}  // namespace rowhouse

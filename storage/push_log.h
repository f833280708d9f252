// A shard's push log: segment files of batches of records, in LSN order. Holds gradients, not rows.
//
//   segment := segment_header batch*            named log-<first lsn, 20 digits>.rwlog
//   batch   := batch_header record* fill
//   record  := record_header prefix body             prefix and body each padded to 8
//
// The byte layout stands at the top of push_log_format.h. A batch header carries the highest LSN
// known to be synced when it was written; a segment is synced before the next one is opened.
//
//   ASSIGN_OR_RETURN(auto log, PushLog::Open(files, options, watermark, replay));
//   log->Write(records);   // contiguous LSNs from log->next_lsn() on
//   log->Sync();
//
// Threading: one user at a time (the shard's log jobs run one after another).
// Errors: Open names file and offset of damage. A failed Write is truncated back to the last whole
//   batch and may be tried again with the same records. A failed Sync may be tried again: what it
//   was to cover is read back and written once more first. Where it does not come back as it was,
//   every Sync fails until the log is opened anew.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/types.h"
#include "storage/log_files.h"

namespace rowhouse {

// Values are part of the disk format: append, never renumber.
enum class RecordType : uint16_t {
  kPush = 1,          // prefix: f32 effective learning rate per section; body: a push (wire/data.h)
  kOpenClient = 2,    // body: wire/control.h OpenClient
  kCreateTable = 3,   // body: CreateTable and generation (ps/table_set.h)
  kCloseMark = 4,     // body: wire/checkpoint.h CloseMark
  kLeaveClient = 5,   // body: wire/checkpoint.h LeaveClient
  kAnnounceMark = 6,  // body: wire/checkpoint.h AnnounceMark
};

struct LogRecord {
  Lsn lsn;
  RecordType type = RecordType::kPush;
  uint64_t arrival_ms = 0;                    // since the Unix epoch, by the shard's clock
  absl::InlinedVector<std::byte, 32> prefix;  // made by the shard; few records need more
  std::span<const std::byte> body;            // as received; 8-byte aligned
  uint64_t body_checksum = 0;                 // XXH3-64, made by the client, checked on arrival
  std::shared_ptr<const void> owner;          // keeps `body` alive
};

struct PushLogOptions {
  uint64_t segment_bytes = 64ull << 20;  // a segment is closed when it has grown beyond this
  bool archive = false;                  // keep segments below the watermark
};

class PushLog {
 public:
  using Replay = std::function<absl::Status(const LogRecord& record)>;

  // Reads what is there and calls `replay` for every record above `watermark`, in LSN order, then
  // is ready to append. `synced` is the highest LSN that the caller knows to have been synced; what
  // nothing says that of is written once more and synced before the log is handed out.
  static absl::StatusOr<std::unique_ptr<PushLog>> Open(LogFiles* files, PushLogOptions options,
                                                       Lsn watermark, Lsn synced,
                                                       const Replay& replay);
  virtual ~PushLog() = default;

  // records: contiguous LSNs that begin at next_lsn(). One vectored write.
  virtual absl::Status Write(std::span<const LogRecord> records) = 0;
  virtual absl::Status Sync() = 0;
  // Removes segments whose records all lie at or below `watermark` (unless archived). The bytes of
  // up to kRemovedFilesMax, appended to `removed` whatever the status, are the caller's to destroy:
  // where nobody waits for the log, or where it lacks space.
  virtual absl::Status Trim(Lsn watermark, std::vector<RemovedFile>* removed) = 0;

  virtual Lsn next_lsn() const = 0;
  virtual Lsn synced_lsn() const = 0;
  virtual uint64_t size_bytes() const = 0;  // of all segments present
  // What Open cut off the tail, in words; empty where nothing was.
  virtual std::string cut_message() const = 0;
};

}  // namespace rowhouse

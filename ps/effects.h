// What a shard asks of the world around it. The shard itself does no I/O: an event goes in, effects
// come out, and whoever drives it (the server, a test, a simulator) carries them out.
//
// Ownership: jobs point into the shard, which keeps what they point to unchanged until the job's
//   outcome comes back as an event. At most one log job, one file job and one checkpoint job are
//   under way at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/types.h"
#include "common/wire/checkpoint.h"
#include "common/wire/frame_builder.h"
#include "storage/checkpoint_files.h"
#include "storage/disk_tier.h"
#include "storage/entry_buffer.h"
#include "storage/huge_pages.h"
#include "storage/push_log.h"

namespace rowhouse {

// A connection, as numbered by whoever drives the shard.
using SessionId = Strong<struct SessionIdTag, uint64_t>;

struct Answer {
  SessionId session;
  OutFrame frame;
  uint64_t request_bytes = 0;  // of the frame that this answers
  // Nothing that the session sent after this request may take effect: its requests are done in
  // order, and this one, which the client is to send again, was not.
  bool ends_session = false;
};

// Trim, then write the records, then sync if asked; the outcome goes to Shard::OnLogDone. Whatever
// comes of the trim, the rest is done, and the other way round.
struct LogJob {
  std::span<const LogRecord> records;
  bool sync = false;
  Lsn trim_through;  // 0: nothing
};

struct LogOutcome {
  absl::Status status;  // of writing and syncing
  absl::Status trim;
  std::vector<RemovedFile> removed;  // by the trim; to be destroyed where no request waits for it
  Lsn written;                       // last record handed to the operating system
  Lsn synced;                        // last record known to survive power loss
  uint64_t log_bytes = 0;            // of all segments
};

// Ingest the entries, sorted by key, bookkeeping in a file of its own before rows; the outcome goes
// to Shard::OnFileDone. It is first written down up to which LSN they may have come, and with it
// the log: a start that leaves rows on disk must know, and so must one that finds the log damaged.
struct FileJob {
  const EntryBuffer* entries = nullptr;
  Lsn rows_lsn;  // 0: nothing is written down
};

// Read rows of the disk tier; the outcome goes to Shard::OnRowsRead. Several may be under way; each
// owns its keys.
struct ReadJob {
  uint64_t id = 0;
  std::vector<std::string> keys;  // of the disk tier
};

struct ReadOutcome {
  uint64_t id = 0;
  absl::Status status;
  std::vector<std::optional<std::string>> values;  // one per key, where OK
};

// Work on the image of a checkpoint attempt, which is named by the attempt's number; the outcome
// goes to Shard::OnCheckpointDone.
struct CheckpointJob {
  enum class Kind {
    kFreeze,   // make the image of the disk tier as it is now
    kPublish,  // copy the image and the log from the watermark to the cut into `directory`
    kDrop,     // remove the image
  };
  Kind kind = Kind::kFreeze;
  uint64_t attempt = 0;
  std::string directory;
  Lsn watermark;
  Lsn cut;
  std::shared_ptr<PublishProgress> progress;  // of kPublish
};

struct CheckpointOutcome {
  absl::Status status;
  std::vector<CheckpointFile> files;  // of kPublish
};

struct Effects {
  std::vector<Answer> answers;
  // Where set, it is given log jobs the moment they are due, in the midst of the event: a push is
  // written while its rows are updated. Otherwise they stay in `log_job` until the event is over.
  std::function<void(const LogJob& job)> begin_log;
  std::optional<LogJob> log_job;
  std::optional<FileJob> file_job;
  std::vector<ReadJob> read_jobs;
  std::optional<CheckpointJob> checkpoint_job;
  std::vector<Mapping> memory_ahead;  // have its pages found (FindPages); nobody waits for it
  bool flush_step = false;            // call OnFlushStep after the events that wait already
  bool retry = false;                 // call OnRetry after retry_ms
  bool log_delay = false;             // call OnLogDelay after log_delay_ms
  bool lull = false;                  // call OnLull after flush_lull_ms
  bool stopped = false;               // everything is on disk; the shard may go
};

}  // namespace rowhouse

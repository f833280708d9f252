// A shard: rows, clients and log order of a set of slots, as a plain state machine.
//
// Events go in, effects come out (effects.h). Nothing here waits, reads a clock or touches a
// socket, a thread or a disk.
//
//   Shard shard(identity, limits, kernel, &counters);
//   ... RestoreMeta, RestoreRows, Replay as RestoreShard does (shard_storage.h) ...
//   shard.Started(next_lsn, log_bytes);
//   shard.OnRequest(session, frame, now_ms, &effects);
//
// Threading: one thread at a time.
// Errors: a refused request gets an error answer and changes nothing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/slot_map.h"
#include "common/types.h"
#include "common/wire/data.h"
#include "common/wire/frame.h"
#include "common/wire/frame_pool.h"
#include "ps/checkpointer.h"
#include "ps/client_table.h"
#include "ps/effects.h"
#include "ps/event_times.h"
#include "ps/evictor.h"
#include "ps/flusher.h"
#include "ps/log_queue.h"
#include "ps/optimizer/adagrad.h"
#include "ps/per_section.h"
#include "ps/push_check.h"
#include "ps/refusal_counters.h"
#include "ps/residency.h"
#include "ps/shard_limits.h"
#include "ps/table_set.h"
#include "ps/waiting_requests.h"
#include "storage/data_dir.h"
#include "storage/row_batch.h"

namespace rowhouse {

class Shard {
 public:
  // `counters` outlives the shard.
  Shard(ShardIdentity identity, ShardLimits limits, AdagradKernel kernel,
        RefusalCounters* counters);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // For a restore, and for whoever checks one: of the log, only records marked less than `mark`
  // are replayed. Call before the first Replay.
  void SetReplayCut(Mark mark) { replay_cut_ = mark; }

  // Start, in this order: bookkeeping, rows, log records above the watermark, Started.
  absl::Status RestoreMeta(std::string_view name, std::string_view value);
  absl::Status RestoreRows(const RowBatch& batch);
  // The number of rows that the record pushes.
  absl::StatusOr<uint64_t> Replay(const LogRecord& record);
  void Started(Lsn next, uint64_t log_bytes);

  // What the disk tier keeps in memory for reading is part of the budget. To be told whenever it
  // may have changed, before the event that says so.
  void NoteDiskMemory(uint64_t bytes) { disk_memory_bytes_ = bytes; }
  // How many there are, and how many of them over a Unix-domain socket.
  void NoteConnections(uint64_t all, uint64_t over_unix) {
    connections_ = all;
    connections_unix_ = over_unix;
  }

  // Start under a memory budget (shard_budget.cc): rows that find no room stay on disk.
  bool budgeted() const { return limits_.memory_bytes_max > 0; }
  bool HasRoomForRows() const;
  // Some rows of these slots were not restored.
  void LeaveOnDisk(SlotRange slots);
  // Whether highest_row_lsn() speaks of rows on disk, too; otherwise NoteRowsOnDisk must tell.
  bool knows_rows_lsn() const { return knows_rows_lsn_; }
  void NoteRowsOnDisk(Lsn highest) { highest_row_lsn_ = std::max(highest_row_lsn_, highest); }
  // Keys of the disk tier that a record changes and memory does not have.
  std::vector<std::string> MissingRows(const LogRecord& record) const;
  absl::Status RestoreRow(std::string_view disk_key, std::string_view value);
  // Ends each replayed record: where memory is over the budget, changed rows are written by
  // `write`, then clean ones go. REQUIRES: `write` sees to it that the log is synced first.
  using WriteFile = std::function<absl::Status(const FileJob& job)>;
  absl::Status KeepBudgetInReplay(Lsn replayed, const WriteFile& write);
  Lsn watermark() const { return watermark_; }
  Lsn highest_row_lsn() const { return highest_row_lsn_; }

  // Events.
  void OnRequest(SessionId session, const ReceivedFrame& frame, uint64_t now_ms, Effects* effects);
  void OnLogDone(const LogOutcome& outcome, Effects* effects);
  void OnFileDone(const absl::Status& status, Effects* effects);
  void OnFlushStep(Effects* effects);
  void OnRowsRead(const ReadOutcome& outcome, Effects* effects);
  // The session is gone: what it has waiting is dropped.
  void OnSessionClosed(SessionId session, Effects* effects);
  void OnCheckpointDone(const CheckpointOutcome& outcome, Effects* effects);
  void OnRetry(Effects* effects);
  // Records have gathered for log_delay_ms.
  void OnLogDelay(Effects* effects);
  // It may be a lull: whether it is one, the shard sees for itself.
  void OnLull(Effects* effects);
  // Refuses requests from here on, writes everything out; `stopped` comes with a later event.
  void OnStop(Effects* effects);

  // Whether requests should wait because the log or the flush does not keep up. Not while the disk
  // fails: then pushes are refused, which bounds the memory as well, and pulls go on.
  bool congested() const {
    return !log_.failing() &&
           (log_.buffered_bytes() + log_.waiting_bytes() > limits_.log_buffer_bytes_max ||
            MemoryCongested());
  }

  // Memory of an answer that was sent, or given up, for later answers.
  void Recycle(OutFrame frame) { frames_.Give({std::move(frame.words), frame.capacity_bytes}); }

  // How long the event that has just been handled took, by whoever has a clock.
  void NoteEventTime(EventKind kind, uint64_t micros) { event_times_.Note(kind, micros); }

  const TableSet& tables() const { return tables_; }
  const ClientTable& clients() const { return clients_; }
  Mark announced() const { return announced_; }
  const ShardIdentity& identity() const { return identity_; }
  std::vector<Counter> Counters() const;

 private:
  // Of tables and incarnations, whatever the tables' durability: a client that was told of its
  // fence must not meet another one under the same incarnation after a power cut.
  static constexpr Durability kPromised = Durability::kFsync;

  struct CheckedPush {
    PerSection<TableRows*> tables;
    Durability durability = Durability::kMemory;
  };

  // One per operation: an answer or a refusal.
  absl::Status HandlePull(SessionId session, const ReceivedFrame& frame, Effects* effects);
  absl::Status HandlePush(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
                          Effects* effects);
  absl::Status HandleCreateTable(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
                                 Effects* effects);
  absl::Status HandleQueryClient(SessionId session, const ReceivedFrame& frame, Effects* effects);
  absl::Status HandleOpenClient(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
                                Effects* effects);
  // shard_clients.cc
  absl::Status HandleRenewClient(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
                                 Effects* effects);
  absl::Status HandleCloseMark(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
                               Effects* effects);
  absl::Status HandleLeaveClient(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
                                 Effects* effects);
  // shard_checkpoint.cc
  absl::Status HandleAnnounceMark(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
                                  Effects* effects);
  absl::Status HandlePrepareCheckpoint(SessionId session, const ReceivedFrame& frame,
                                       uint64_t now_ms, Effects* effects);
  absl::Status HandleCheckpointStatus(SessionId session, const ReceivedFrame& frame,
                                      uint64_t now_ms, Effects* effects);
  absl::Status HandlePublishCheckpoint(SessionId session, const ReceivedFrame& frame,
                                       uint64_t now_ms, Effects* effects);
  absl::Status HandleAbandonCheckpoint(SessionId session, const ReceivedFrame& frame,
                                       Effects* effects);
  absl::Status HandleStats(SessionId session, const ReceivedFrame& frame, Effects* effects);
  absl::Status Dispatch(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
                        Effects* effects);

  absl::Status CheckEpoch(Epoch epoch) const;
  absl::Status CheckLogAccepts() const;
  absl::Status CheckPull(const PullView& pull, PerSection<TableRows*>* tables) const;
  void AnswerPull(SessionId session, const ReceivedFrame& frame, const PullView& pull,
                  std::span<TableRows* const> tables, Effects* effects);
  void FinishPush(SessionId session, const ReceivedFrame& frame, const PushView& push,
                  const CheckedPush& checked, KnownClient* client, std::optional<Lsn> applied,
                  uint64_t now_ms, Effects* effects);
  void RefuseRequest(SessionId session, const ReceivedFrame& frame, const absl::Status& status,
                     Effects* effects);

  // shard_budget.cc: what a memory budget brings along. None of it is called without one.
  template <typename View>
  static std::vector<RowsOfTable> RowsOf(const View& view, std::span<TableRows* const> tables);
  bool MustRead(std::span<const RowsOfTable> rows) const { return !residency_.AllKnown(rows); }
  absl::Status CheckMemoryAccepts() const;
  void Wait(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
            std::vector<RowsOfTable> rows, Durability durability);
  absl::Status CheckWaiting(WaitingRequest* request, bool* duplicate);
  void BeginWaiting(WaitingRequest* request);
  void PinWaiting(WaitingRequest* request);
  void BeginWhatFits(Effects* effects);
  // Does what is ready at the head of the session's queue.
  void SettleSession(SessionId session, Effects* effects);
  absl::Status DoWaiting(const WaitingRequest& request, bool* must_pin, Effects* effects);
  void RefuseRest(SessionId session, const absl::Status& status, Effects* effects);
  std::unique_ptr<WaitingRequest> TakeFirst(SessionId session);
  uint64_t UsedBytes() const;
  // The same with rows that are free and pages that are filled in part.
  uint64_t HeldBytes() const;
  uint64_t BytesToEvict() const;
  bool Evict(uint64_t rows_max);
  uint64_t DirtyBytes() const;
  uint64_t evict_above_bytes() const {
    return limits_.memory_bytes_max - limits_.memory_bytes_max / 16;
  }
  bool MemoryFlushDue() const;
  bool MemoryCongested() const;
  void PumpBudget(Effects* effects);
  void EvictAtStart();
  absl::Status CheckPushHeader(const PushHeader& header) const;
  absl::Status CheckPush(const PushView& push, CheckedPush* checked);
  // Without memory it ends the process: rows that are changed in part would be called complete by
  // the next flush, where the log still brings all of the push back.
  Lsn ApplyPush(const PushView& push, const ReceivedFrame& frame, const CheckedPush& checked,
                uint64_t now_ms, Effects* effects) noexcept;
  // Takes a mark that somebody knows as announced here too, with a record. Errors: kMalformed.
  absl::Status CheckMark(Mark mark) const;
  void RaiseMark(Mark mark, uint64_t now_ms);
  Mark MarkOf(const PushHeader& header) const;
  // The client, if this push may be applied now; where it is a retry, its LSN in `applied`.
  absl::StatusOr<KnownClient*> AdmitPush(const PushHeader& header, std::optional<Lsn>* applied);
  LoggedPush DescribePush(const PushHeader& header, Lsn lsn, uint64_t arrival_ms) const;
  void AnswerDone(SessionId session, const ReceivedFrame& request, Op op, Effects* effects);
  Lsn LogServerRecord(RecordType type, std::vector<std::byte> body, uint64_t now_ms);
  bool IsWithinCut(Mark mark) const { return !replay_cut_.has_value() || mark < *replay_cut_; }
  absl::StatusOr<uint64_t> ReplayPush(const LogRecord& record);
  absl::Status ReplayClientRecord(const LogRecord& record);
  absl::Status ReplaySection(const PushSection& section, float effective_learning_rate, Lsn lsn);

  static Answer AnswerTo(SessionId session, const ReceivedFrame& request, OutFrame frame);
  void AnswerWhenDurable(SessionId session, const ReceivedFrame& request, OutFrame frame, Lsn lsn,
                         Durability durability, Effects* effects);
  std::vector<DiskEntry> Bookkeeping(Lsn watermark) const;
  bool FlushDue() const;
  bool LogFlushDue() const;
  uint64_t UnflushedLogBytes() const { return log_.appended_bytes() - flushed_log_bytes_; }
  void WatchForLull(Effects* effects);
  void PumpCheckpoint(Effects* effects);
  ImageFlush FlushForImage() const;
  void Carry(Flusher::Next next, Effects* effects);
  // Begins the next log job where none is under way.
  void PumpLog(Effects* effects);
  // Ends every event: log jobs that are due, a flush that is due, the end of a stop.
  void Pump(Effects* effects);

  const ShardIdentity identity_;
  const ShardLimits limits_;
  const AdagradKernel kernel_;
  RefusalCounters* const counters_;
  const SlotMap map_;

  TableSet tables_;
  ClientTable clients_;
  LogQueue log_;
  Flusher flusher_;
  Checkpointer checkpointer_;
  DuplicateFinder duplicates_;
  FramePool frames_;  // of answers; keeps no more than the largest frame
  Residency residency_;
  Evictor evictor_;
  WaitingRequests waiting_;

  Lsn watermark_;
  Lsn highest_row_lsn_;
  Mark announced_;                  // the highest checkpoint mark
  Mark flush_mark_;                 // as announced at the watermark of the flush that runs
  std::optional<Mark> replay_cut_;  // see SetReplayCut
  uint64_t first_request_ms_ = 0;   // of this life; 0: none yet
  bool closing_changed_ = true;     // clients may have closed or left since the last look
  Lsn trim_requested_;
  Lsn last_create_;                 // of a table, in this life
  uint64_t log_bytes_ = 0;          // of the segments present
  uint64_t flushed_log_bytes_ = 0;  // appended when the last flush began
  bool stopping_ = false;
  bool log_failed_ = false;       // no log job before OnRetry
  bool file_failed_ = false;      // the file job is offered again at OnRetry
  bool log_delay_asked_ = false;  // OnLogDelay will come
  bool lull_asked_ = false;       // OnLull will come
  bool is_lull_ = false;          // nothing was logged for flush_lull_ms
  Lsn lull_lsn_;                  // last_lsn when it was asked for
  std::string write_failure_;     // of the last file job; empty where it succeeded
  bool knows_rows_lsn_ = false;
  bool flush_step_due_ = false;
  bool evict_step_due_ = false;
  bool step_asked_ = false;  // OnFlushStep will come
  uint64_t used_bytes_ = 0;  // both as of the last event
  uint64_t held_bytes_ = 0;
  uint64_t disk_memory_bytes_ = 0;  // as last told
  uint64_t connections_ = 0;        // likewise
  uint64_t connections_unix_ = 0;

  uint64_t pulls_ = 0;
  uint64_t pushes_ = 0;
  uint64_t duplicate_pushes_ = 0;
  uint64_t rows_pulled_ = 0;
  uint64_t rows_pushed_ = 0;
  uint64_t flushes_ = 0;
  EventTimes event_times_;
};

}  // namespace rowhouse

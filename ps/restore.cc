#include "ps/restore.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "common/refusal.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "ps/shard_storage.h"
#include "storage/bounded_queue.h"
#include "storage/push_log_format.h"
#include "storage/row_batch.h"
#include "storage/row_codec.h"
#include "storage/segment_rewrite.h"

namespace rowhouse {
namespace {

// Ranges of slots that threads take one after another, small enough that several fit into the
// buffer where a shard has a hundred million rows, and large enough that seeks do not count where
// it has one.
constexpr uint32_t kPieces = 512;
constexpr size_t kBufferBytes = size_t{64} << 20;
constexpr size_t kBatchesAhead = 4;  // of the piece that is being delivered, whatever is buffered

void Observe(const RestoreOptions& options, const RestoreProgress& progress) {
  if (options.observe) options.observe(progress);
}

void BeginPhase(RestoreProgress::Phase phase, const RestoreOptions& options,
                RestoreProgress* progress) {
  progress->phase = phase;
  progress->fraction = 0;
  Observe(options, *progress);
}

// All slots, whoever owns them: what lies where it should not must be found.
SlotRange PieceOf(uint32_t piece) {
  // The last one reaches to the end of the rows, wherever damage may have put them.
  constexpr uint32_t kSlotsPerPiece = kSlotCount / kPieces;
  const uint32_t first = piece * kSlotsPerPiece;
  return {first, piece + 1 == kPieces ? kSlotEnd : first + kSlotsPerPiece};
}

std::vector<StoredTable> StoredTablesOf(const Shard& shard) {
  std::vector<StoredTable> tables;
  for (const auto& table : shard.tables().all()) {
    tables.push_back({table->id(), table->generation(), table->layout()});
  }
  return tables;
}

// What comes of a piece: its batches, then word that these were all.
struct PieceBatch {
  uint32_t piece = 0;
  bool is_end = false;
  RowBatch rows;
};
using TakePieceBatch = std::function<absl::Status(PieceBatch batch)>;

absl::Status ScanPiece(const DiskTier& disk, uint32_t piece, std::span<const StoredTable> tables,
                       const TakePieceBatch& take) {
  RETURN_IF_ERROR(ScanRows(disk, PieceOf(piece), tables, [&](RowBatch batch) {
    return take({piece, false, std::move(batch)});
  }));
  return take({piece, true, {}});
}

// Threads that read rows, delivered in the order of slots whoever reads faster.
class RowReaders {
 public:
  RowReaders(uint32_t threads, const DiskTier& disk, std::vector<StoredTable> tables)
      : disk_(disk), tables_(std::move(tables)), pieces_(kPieces) {
    for (uint32_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
  }
  ~RowReaders() {
    Fail(absl::CancelledError("the start was given up"));
    for (std::thread& thread : threads_) thread.join();
  }

  // Nullopt at the end, or where reading failed: see status().
  std::optional<PieceBatch> Next() {
    std::unique_lock lock(mutex_);
    while (status_.ok() && delivering_ < kPieces) {
      Piece& piece = pieces_[delivering_];
      if (!piece.batches.empty()) {
        RowBatch batch = std::move(piece.batches.front());
        piece.batches.pop_front();
        bytes_ -= batch.values.size();
        const uint32_t number = delivering_;
        lock.unlock();
        changed_.notify_all();
        return PieceBatch{number, false, std::move(batch)};
      }
      if (piece.done) {
        const uint32_t number = delivering_++;
        changed_.notify_all();
        return PieceBatch{number, true, {}};
      }
      changed_.wait(lock);
    }
    return std::nullopt;
  }

  absl::Status status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }
  double fraction() const {
    const std::lock_guard lock(mutex_);
    return static_cast<double>(delivering_) / kPieces;
  }

 private:
  struct Piece {
    std::deque<RowBatch> batches;
    bool done = false;
  };

  void Run() {
    for (uint32_t piece = next_++; piece < kPieces; piece = next_++) {
      const absl::Status status =
          ScanRows(disk_, PieceOf(piece), tables_,
                   [this, piece](RowBatch batch) { return Put(piece, std::move(batch)); });
      if (!status.ok()) return Fail(Detached(status));
      const std::lock_guard lock(mutex_);
      pieces_[piece].done = true;
      changed_.notify_all();
    }
  }

  absl::Status Put(uint32_t piece, RowBatch batch) {
    std::unique_lock lock(mutex_);
    std::deque<RowBatch>& batches = pieces_[piece].batches;
    changed_.wait(lock, [&] {
      return !status_.ok() || bytes_ + batch.values.size() <= kBufferBytes ||
             (piece == delivering_ && batches.size() < kBatchesAhead);
    });
    RETURN_IF_ERROR(status_);
    bytes_ += batch.values.size();
    batches.push_back(std::move(batch));
    changed_.notify_all();
    return absl::OkStatus();
  }

  void Fail(const absl::Status& status) {
    const std::lock_guard lock(mutex_);
    if (status_.ok()) status_ = status;
    changed_.notify_all();
  }

  const DiskTier& disk_;
  const std::vector<StoredTable> tables_;
  std::atomic<uint32_t> next_{0};  // piece to be read
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Piece> pieces_;  // this and all below guarded by mutex_
  uint32_t delivering_ = 0;
  size_t bytes_ = 0;
  absl::Status status_;
  std::vector<std::thread> threads_;  // last: they use all of the above
};

// Puts rows into the shard as long as it has room for them.
class RowTaker {
 public:
  RowTaker(const RestoreOptions& options, Shard* shard, RestoreProgress* progress)
      : options_(options), shard_(shard), progress_(progress) {}

  absl::Status Take(const PieceBatch& batch) {
    if (batch.is_end) {
      if (!progress_->rows_left) whole_[batch.piece] = true;
      return absl::OkStatus();
    }
    progress_->rows_left |= !shard_->HasRoomForRows();
    if (progress_->rows_left) {
      shard_->NoteRowsOnDisk(batch.rows.highest_lsn);
    } else {
      RETURN_IF_ERROR(shard_->RestoreRows(batch.rows));
      progress_->rows += batch.rows.keys.size();
    }
    Observe(options_, *progress_);
    return absl::OkStatus();
  }

  // What is still to come would change nothing.
  bool done() const { return progress_->rows_left && shard_->knows_rows_lsn(); }

  void Finish() const {
    if (!progress_->rows_left) return;
    for (uint32_t piece = 0; piece < kPieces; ++piece) {
      if (!whole_[piece]) shard_->LeaveOnDisk(PieceOf(piece));
    }
  }

 private:
  const RestoreOptions& options_;
  Shard* const shard_;
  RestoreProgress* const progress_;
  std::array<bool, kPieces> whole_{};
};

// A row that the record changes may be on disk only; what does not fit into memory goes there.
class BudgetKeeper {
 public:
  BudgetKeeper(LogFiles* files, DiskTier* disk, Shard* shard)
      : files_(files), disk_(disk), shard_(shard) {}

  absl::Status Before(const LogRecord& record) {
    const std::vector<std::string> keys = shard_->MissingRows(record);
    if (keys.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const auto values, disk_->Read(keys));
    for (size_t i = 0; i < keys.size(); ++i) {
      if (values[i].has_value()) RETURN_IF_ERROR(shard_->RestoreRow(keys[i], *values[i]));
    }
    return absl::OkStatus();
  }

  absl::Status After(const LogRecord& record) {
    return shard_->KeepBudgetInReplay(record.lsn, [this](const FileJob& job) -> absl::Status {
      if (!std::exchange(log_synced_, true)) RETURN_IF_ERROR(SyncLog());
      return RunFileJob(job, disk_);
    });
  }

 private:
  // No row reaches the disk before its record is durable. Segments before the last one are synced.
  absl::Status SyncLog() {
    ASSIGN_OR_RETURN(std::vector<std::string> names, files_->List());
    std::erase_if(names, [](const std::string& name) { return !ParseSegmentName(name); });
    if (names.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const auto file, files_->OpenForAppend(names.back()));
    const LogSegment last{names.back(), *ParseSegmentName(names.back()), file->size_bytes()};
    RETURN_IF_ERROR(RewriteBatches(*files_, last, 0, last.first_lsn, file.get()).status());
    return file->Sync();
  }

  LogFiles* const files_;
  DiskTier* const disk_;
  Shard* const shard_;
  bool log_synced_ = false;
};

// The segments that will be read, from the one with the record behind the watermark on.
absl::StatusOr<uint64_t> BytesToReplay(const LogFiles& files, Lsn watermark) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List());
  uint64_t bytes = 0;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    const std::optional<Lsn> first_lsn = ParseSegmentName(*name);
    if (!first_lsn.has_value()) continue;
    ASSIGN_OR_RETURN(const uint64_t size_bytes, files.SizeBytes(*name));
    bytes += size_bytes;
    if (first_lsn->value() <= watermark.value() + 1) break;
  }
  return bytes;
}

class Replayer {
 public:
  Replayer(const RestoreOptions& options, uint64_t bytes, BudgetKeeper budget, Shard* shard,
           RestoreProgress* progress)
      : options_(options), bytes_(bytes), budget_(budget), shard_(shard), progress_(progress) {}

  absl::Status Take(const LogRecord& record) {
    if (shard_->budgeted()) RETURN_IF_ERROR(budget_.Before(record));
    ASSIGN_OR_RETURN(const uint64_t rows, shard_->Replay(record));
    if (shard_->budgeted()) RETURN_IF_ERROR(budget_.After(record));
    done_ += sizeof(RecordHeader) + PaddedTo8(record.prefix.size()) + record.body.size();
    ++progress_->records;
    progress_->record_rows += rows;
    progress_->fraction = bytes_ == 0 ? 1 : std::min(1.0, static_cast<double>(done_) / bytes_);
    Observe(options_, *progress_);
    return absl::OkStatus();
  }

 private:
  const RestoreOptions& options_;
  const uint64_t bytes_;
  BudgetKeeper budget_;
  Shard* const shard_;
  RestoreProgress* const progress_;
  uint64_t done_ = 0;
};

using OpenedLog = absl::StatusOr<std::unique_ptr<PushLog>>;

OpenedLog OpenLog(const RestoreOptions& options, LogFiles* files, Lsn watermark, Lsn synced,
                  const PushLog::Replay& replay) {
  return PushLog::Open(files, options.log, watermark, synced, replay);
}

// One thread reads and verifies, this one applies.
OpenedLog OpenLogInPipeline(const RestoreOptions& options, LogFiles* files, Lsn watermark,
                            Lsn synced, Replayer* replayer) {
  BoundedQueue<LogRecord> queue(kBufferBytes);
  OpenedLog log = absl::InternalError("the log was not opened");
  std::thread reader([&] {
    log = OpenLog(options, files, watermark, synced, [&](const LogRecord& record) {
      return queue.Push(record, record.body.size()) ? absl::OkStatus()
                                                    : absl::CancelledError("a record failed");
    });
    queue.Close(absl::OkStatus());
  });
  absl::Status applied;
  while (std::optional<LogRecord> record = queue.Pop()) {
    applied = replayer->Take(*record);
    if (!applied.ok()) queue.Close(applied);
  }
  reader.join();
  if (!applied.ok()) return applied;
  return log.ok() ? std::move(log) : OpenedLog(Detached(log.status()));
}

}  // namespace

absl::Status LoadRows(const RestoreOptions& options, const DiskTier& disk, Shard* shard,
                      RestoreProgress* progress) {
  BeginPhase(RestoreProgress::Phase::kRows, options, progress);
  const std::vector<StoredTable> tables = StoredTablesOf(*shard);
  RowTaker taker(options, shard, progress);
  if (options.threads == 0) {
    for (uint32_t piece = 0; piece < kPieces && !taker.done(); ++piece) {
      RETURN_IF_ERROR(ScanPiece(disk, piece, tables,
                                [&](const PieceBatch& batch) { return taker.Take(batch); }));
    }
    taker.Finish();
    return absl::OkStatus();
  }
  RowReaders readers(options.threads, disk, tables);
  while (std::optional<PieceBatch> batch = readers.Next()) {
    progress->fraction = readers.fraction();
    RETURN_IF_ERROR(taker.Take(*batch));
    if (taker.done()) break;
  }
  if (!taker.done()) RETURN_IF_ERROR(readers.status());
  taker.Finish();
  return absl::OkStatus();
}

OpenedLog ReplayLog(const RestoreOptions& options, LogFiles* files, DiskTier* disk, Shard* shard,
                    RestoreProgress* progress) {
  BeginPhase(RestoreProgress::Phase::kLog, options, progress);
  const Lsn watermark = shard->watermark();
  const Lsn synced = std::max(watermark, shard->highest_row_lsn());
  ASSIGN_OR_RETURN(const uint64_t bytes, BytesToReplay(*files, watermark));
  Replayer replayer(options, bytes, BudgetKeeper(files, disk, shard), shard, progress);
  if (options.threads > 0) return OpenLogInPipeline(options, files, watermark, synced, &replayer);
  return OpenLog(options, files, watermark, synced,
                 [&](const LogRecord& record) { return replayer.Take(record); });
}

}  // namespace rowhouse

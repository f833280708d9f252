#include "ps/restore.h"

#include <algorithm>
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
#include "storage/bounded_queue.h"
#include "storage/push_log_format.h"
#include "storage/row_batch.h"
#include "storage/row_codec.h"

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
  std::optional<RowBatch> Next() {
    std::unique_lock lock(mutex_);
    while (status_.ok() && delivering_ < kPieces) {
      Piece& piece = pieces_[delivering_];
      if (!piece.batches.empty()) {
        RowBatch batch = std::move(piece.batches.front());
        piece.batches.pop_front();
        bytes_ -= batch.values.size();
        lock.unlock();
        changed_.notify_all();
        return batch;
      }
      if (piece.done) {
        ++delivering_;
        changed_.notify_all();
      } else {
        changed_.wait(lock);
      }
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

absl::Status TakeRows(const RestoreOptions& options, const RowBatch& batch, Shard* shard,
                      RestoreProgress* progress) {
  RETURN_IF_ERROR(shard->RestoreRows(batch));
  progress->rows += batch.keys.size();
  Observe(options, *progress);
  return absl::OkStatus();
}

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
  Replayer(const RestoreOptions& options, uint64_t bytes, Shard* shard, RestoreProgress* progress)
      : options_(options), bytes_(bytes), shard_(shard), progress_(progress) {}

  absl::Status Take(const LogRecord& record) {
    ASSIGN_OR_RETURN(const uint64_t rows, shard_->Replay(record));
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
  if (options.threads == 0) {
    return ScanRows(disk, {0, kSlotEnd}, tables, [&](const RowBatch& batch) {
      return TakeRows(options, batch, shard, progress);
    });
  }
  RowReaders readers(options.threads, disk, tables);
  while (std::optional<RowBatch> batch = readers.Next()) {
    progress->fraction = readers.fraction();
    RETURN_IF_ERROR(TakeRows(options, *batch, shard, progress));
  }
  return readers.status();
}

OpenedLog ReplayLog(const RestoreOptions& options, LogFiles* files, Shard* shard,
                    RestoreProgress* progress) {
  BeginPhase(RestoreProgress::Phase::kLog, options, progress);
  const Lsn watermark = shard->watermark();
  const Lsn synced = std::max(watermark, shard->highest_row_lsn());
  ASSIGN_OR_RETURN(const uint64_t bytes, BytesToReplay(*files, watermark));
  Replayer replayer(options, bytes, shard, progress);
  if (options.threads > 0) return OpenLogInPipeline(options, files, watermark, synced, &replayer);
  return OpenLog(options, files, watermark, synced,
                 [&](const LogRecord& record) { return replayer.Take(record); });
}

}  // namespace rowhouse

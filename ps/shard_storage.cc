#include "ps/shard_storage.h"

#include <algorithm>
#include <utility>

#include "common/refusal.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "storage/posix_log_files.h"
#include "storage/push_log_format.h"
#include "storage/rocks_disk_tier.h"
#include "storage/row_codec.h"

namespace rowhouse {
namespace {

constexpr uint64_t kRoomCheckRows = 64;

absl::Status WriteRecords(const LogJob& job, PushLog* log) {
  // A job that is tried again may have been written before its sync failed.
  auto first = std::find_if(job.records.begin(), job.records.end(), [log](const LogRecord& record) {
    return record.lsn >= log->next_lsn();
  });
  if (first == job.records.end()) return absl::OkStatus();
  return log->Write(job.records.subspan(static_cast<size_t>(first - job.records.begin())));
}

absl::Status RunLogSteps(const LogJob& job, PushLog* log) {
  RETURN_IF_ERROR(WriteRecords(job, log));
  if (job.sync) RETURN_IF_ERROR(log->Sync());
  if (job.trim_through != Lsn(0)) RETURN_IF_ERROR(log->Trim(job.trim_through));
  return absl::OkStatus();
}

// Rows in slot order, as long as the memory budget has room; false where some stay on disk.
absl::StatusOr<bool> RestoreRows(const DiskTier& disk, Shard* shard, uint64_t* rows) {
  bool full = false;
  const absl::Status status =
      disk.Scan("", MetaBegin(), [&](std::string_view key, std::string_view value) {
        if (full) return shard->NoteRowOnDisk(value);
        if (*rows % kRoomCheckRows == 0 && !shard->HasRoomForRows()) {
          ASSIGN_OR_RETURN(const RowKey row_key, DecodeRowKey(key));
          shard->LeaveOnDisk(row_key.slot);
          full = true;
          if (shard->knows_rows_lsn()) return absl::CancelledError("the budget is used up");
          return shard->NoteRowOnDisk(value);
        }
        ++*rows;
        return shard->RestoreRow(key, value);
      });
  if (full && absl::IsCancelled(status)) return false;
  RETURN_IF_ERROR(status);
  return !full;
}

// Replays records of rows that did not all fit into memory.
class BudgetedReplay {
 public:
  BudgetedReplay(ShardStorage* storage, Shard* shard) : storage_(storage), shard_(shard) {}

  absl::Status Run(const LogRecord& record) {
    RETURN_IF_ERROR(ReadMissing(record));
    RETURN_IF_ERROR(shard_->Replay(record));
    return shard_->KeepBudgetInReplay(
        record.lsn, [this](std::vector<DiskEntry>* entries) { return Write(entries); });
  }

 private:
  absl::Status ReadMissing(const LogRecord& record) {
    const std::vector<std::string> keys = shard_->MissingRows(record);
    if (keys.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const auto values, storage_->disk->Read(keys));
    for (size_t i = 0; i < keys.size(); ++i) {
      if (values[i].has_value()) RETURN_IF_ERROR(shard_->RestoreRow(keys[i], *values[i]));
    }
    return absl::OkStatus();
  }

  absl::Status Write(std::vector<DiskEntry>* entries) {
    if (!std::exchange(log_synced_, true)) RETURN_IF_ERROR(SyncLog());
    return RunFileJob({entries}, storage_->disk.get());
  }

  // No row reaches the disk before its record is durable. Segments before the last one are synced.
  absl::Status SyncLog() {
    ASSIGN_OR_RETURN(std::vector<std::string> names, storage_->files->List());
    std::erase_if(names, [](const std::string& name) { return !ParseSegmentName(name); });
    if (names.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const auto last, storage_->files->OpenForAppend(names.back()));
    return last->Sync();
  }

  ShardStorage* const storage_;
  Shard* const shard_;
  bool log_synced_ = false;
};

}  // namespace

absl::StatusOr<ShardStorage> OpenShardStorage(const std::string& path,
                                              const ShardIdentity& identity,
                                              std::shared_ptr<DiskCache> cache) {
  ShardStorage storage;
  ASSIGN_OR_RETURN(storage.dir, DataDir::Open(path, identity));
  storage.identity = storage.dir->identity();
  ASSIGN_OR_RETURN(storage.disk, OpenRocksDiskTier(storage.dir->rows_path(), std::move(cache)));
  ASSIGN_OR_RETURN(storage.files, OpenPosixLogFiles(storage.dir->log_path()));
  return storage;
}

absl::Status RestoreShard(const PushLogOptions& options, ShardStorage* storage, Shard* shard,
                          std::string* found) {
  const std::string meta_begin = MetaBegin();
  RETURN_IF_ERROR(
      storage->disk->Scan(meta_begin, "", [&](std::string_view key, std::string_view value) {
        return shard->RestoreMeta(key.substr(meta_begin.size()), value);
      }));
  uint64_t rows = 0;
  ASSIGN_OR_RETURN(const bool all_rows, RestoreRows(*storage->disk, shard, &rows));
  uint64_t records = 0;
  BudgetedReplay replay(storage, shard);
  const Lsn synced = std::max(shard->watermark(), shard->highest_row_lsn());
  ASSIGN_OR_RETURN(storage->log, PushLog::Open(storage->files.get(), options, shard->watermark(),
                                               synced, [&](const LogRecord& record) {
                                                 ++records;
                                                 return replay.Run(record);
                                               }));
  shard->Started(storage->log->next_lsn(), storage->log->size_bytes());
  *found = StrCat(rows, all_rows ? " rows, " : " rows (more are on disk), ", records,
                  " log records above ", shard->watermark().value());
  if (!storage->log->cut_message().empty()) {
    *found = StrCat(*found, "; ", storage->log->cut_message());
  }
  return absl::OkStatus();
}

LogOutcome RunLogJob(const LogJob& job, PushLog* log) {
  LogOutcome outcome;
  outcome.status = Detached(RunLogSteps(job, log));
  outcome.written = Lsn(log->next_lsn().value() - 1);
  outcome.synced = log->synced_lsn();
  outcome.log_bytes = log->size_bytes();
  return outcome;
}

absl::Status RunFileJob(const FileJob& job, DiskTier* disk) {
  std::sort(job.entries->begin(), job.entries->end(),
            [](const DiskEntry& a, const DiskEntry& b) { return a.key < b.key; });
  return Detached(disk->Ingest(*job.entries));
}

ReadOutcome RunReadJob(const ReadJob& job, const DiskTier* disk) {
  ReadOutcome outcome;
  outcome.id = job.id;
  auto values = disk->Read(job.keys);
  if (values.ok()) {
    outcome.values = *std::move(values);
  } else {
    outcome.status = Detached(values.status());
  }
  return outcome;
}

}  // namespace rowhouse

#include "ps/shard_storage.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/refusal.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "storage/checkpoint_files.h"
#include "storage/posix_log_files.h"
#include "storage/rocks_disk_tier.h"
#include "storage/row_codec.h"

namespace rowhouse {
namespace {

absl::Status WriteRecords(const LogJob& job, PushLog* log) {
  // A job that is tried again may have been written before its sync failed.
  auto first = std::find_if(job.records.begin(), job.records.end(), [log](const LogRecord& record) {
    return record.lsn >= log->next_lsn();
  });
  if (first == job.records.end()) return absl::OkStatus();
  return log->Write(job.records.subspan(static_cast<size_t>(first - job.records.begin())));
}

absl::Status WriteAndSync(const LogJob& job, PushLog* log) {
  RETURN_IF_ERROR(WriteRecords(job, log));
  return job.sync ? log->Sync() : absl::OkStatus();
}

std::string ImageName(uint64_t attempt) { return absl::StrFormat("%016x", attempt); }

absl::Status Publish(const CheckpointJob& job, const DiskTier& disk, const LogFiles& files,
                     ChecksumCache* checksums, std::vector<CheckpointFile>* published) {
  ASSIGN_OR_RETURN(const auto rows, disk.ListFrozen(ImageName(job.attempt)));
  ASSIGN_OR_RETURN(const auto parts, FindLogParts(files, job.watermark, job.cut));
  ASSIGN_OR_RETURN(*published,
                   PublishFiles(job.directory, rows, files, parts, job.progress.get(), checksums));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ShardStorage> OpenShardStorage(const std::string& path,
                                              const ShardIdentity& identity, LogWrites log_writes) {
  ShardStorage storage;
  ASSIGN_OR_RETURN(storage.dir, DataDir::Open(path, identity));
  storage.identity = storage.dir->identity();
  ASSIGN_OR_RETURN(storage.disk, OpenRocksDiskTier(storage.dir->rows_path()));
  ASSIGN_OR_RETURN(storage.files, OpenPosixLogFiles(storage.dir->log_path(), log_writes));
  return storage;
}

absl::Status RestoreShard(const RestoreOptions& options, ShardStorage* storage, Shard* shard,
                          std::string* found) {
  const std::string meta_begin = MetaBegin();
  RETURN_IF_ERROR(
      storage->disk->Scan(meta_begin, "", [&](std::string_view key, std::string_view value) {
        return shard->RestoreMeta(key.substr(meta_begin.size()), value);
      }));
  RestoreProgress progress;
  shard->NoteDiskMemory(storage->disk->memory_bytes());
  RETURN_IF_ERROR(LoadRows(options, *storage->disk, shard, &progress));
  ASSIGN_OR_RETURN(storage->log,
                   ReplayLog(options, storage->files.get(), storage->disk.get(), shard, &progress));
  shard->Started(storage->log->next_lsn(), storage->log->size_bytes());
  progress.phase = RestoreProgress::Phase::kDone;
  progress.fraction = 1;
  if (options.observe) options.observe(progress);
  *found =
      StrCat(progress.rows, progress.rows_left ? " rows (there are more on disk), " : " rows, ",
             progress.records, " log records above ", shard->watermark().value());
  if (!storage->log->cut_message().empty()) {
    *found = StrCat(*found, "; ", storage->log->cut_message());
  }
  return absl::OkStatus();
}

LogOutcome RunLogJob(const LogJob& job, PushLog* log) {
  LogOutcome outcome;
  // First the trim: on a full disk it is what makes room.
  if (job.trim_through != Lsn(0)) {
    outcome.trim = Detached(log->Trim(job.trim_through, &outcome.removed));
  }
  outcome.status = Detached(WriteAndSync(job, log));
  if (absl::IsResourceExhausted(outcome.status) && !outcome.removed.empty()) {
    // The disk has the trimmed bytes back only when they are destroyed.
    outcome.removed.clear();
    outcome.status = Detached(WriteAndSync(job, log));
  }
  outcome.written = Lsn(log->next_lsn().value() - 1);
  outcome.synced = log->synced_lsn();
  outcome.log_bytes = log->size_bytes();
  return outcome;
}

absl::Status RunFileJob(const FileJob& job, DiskTier* disk) {
  if (job.rows_lsn != Lsn(0)) {
    // In a file of its own: its key lies behind all rows, and files of rows are not to overlap.
    const DiskEntry rows_lsn = RowsLsnEntry(job.rows_lsn);
    const DiskEntryView view{rows_lsn.key, rows_lsn.value};
    RETURN_IF_ERROR(Detached(disk->Ingest({&view, 1})));
  }
  const std::vector<DiskEntryView> entries = job.entries->Sorted();
  // A file with both rows and bookkeeping would reach over all slots behind its rows, and every
  // other file with it; and bookkeeping must not be on disk before the rows that it speaks of.
  const std::string meta_begin = MetaBegin();
  CHECK_EQ(entries.front().key < meta_begin, entries.back().key < meta_begin);
  return Detached(disk->Ingest(entries));
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

CheckpointOutcome RunCheckpointJob(const CheckpointJob& job, DiskTier* disk, const LogFiles& files,
                                   ChecksumCache* checksums) {
  CheckpointOutcome outcome;
  switch (job.kind) {
    case CheckpointJob::Kind::kFreeze:
      outcome.status = Detached(disk->Freeze(ImageName(job.attempt)));
      break;
    case CheckpointJob::Kind::kPublish:
      outcome.status = Detached(Publish(job, *disk, files, checksums, &outcome.files));
      break;
    case CheckpointJob::Kind::kDrop:
      outcome.status = Detached(disk->DropFrozen(ImageName(job.attempt)));
      break;
  }
  return outcome;
}

}  // namespace rowhouse

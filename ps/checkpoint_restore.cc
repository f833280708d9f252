#include "ps/checkpoint_restore.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <system_error>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "ps/bookkeeping.h"
#include "ps/shard_storage.h"
#include "storage/checkpoint_files.h"
#include "storage/posix_file.h"
#include "storage/rocks_disk_tier.h"
#include "storage/row_codec.h"

namespace rowhouse {
namespace {

namespace fs = std::filesystem;

constexpr size_t kRowsPerFile = 65536;

absl::Status About(std::string_view what, const absl::Status& status) {
  return absl::Status(status.code(), StrCat(what, ": ", status.message()));
}

absl::StatusOr<CheckpointManifest> ReadManifest(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return PosixError("read", path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  auto manifest = DecodeManifest(text);
  if (!manifest.ok()) return About(path, manifest.status());
  if (manifest->slot_bits != kSlotBits) {
    return absl::UnimplementedError(
        StrCat(path, ": it has ", manifest->slot_bits, " slot bits, this build ", kSlotBits));
  }
  return manifest;
}

absl::Status CheckTarget(const CheckpointRestoreOptions& options) {
  const uint64_t shard_count = uint64_t{options.shards} * options.server_count;
  if (options.shards < 1 || options.server_count < 1 || shard_count > kShardCountMax) {
    return absl::InvalidArgumentError(StrCat(options.server_count, " servers of ", options.shards,
                                             " shards: 1 to ", kShardCountMax,
                                             " shards are possible in all"));
  }
  if (options.server_index >= options.server_count) {
    return absl::InvalidArgumentError(StrCat("--server-index is ", options.server_index,
                                             "; with --server-count ", options.server_count,
                                             " it must be 0 to ", options.server_count - 1));
  }
  if (options.server_count > 1 && options.timeline == Timeline(0)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "a restore for %d servers needs --timeline, the same for all of them and another one for "
        "every restore, so that no client of an earlier one is taken for theirs: for this one take "
        "--timeline %016x",
        options.server_count, FreshTimeline().value()));
  }
  RETURN_IF_ERROR(CreateDirectories(options.data_dir));
  std::error_code error;
  for (fs::directory_iterator at(options.data_dir, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name == "lost+found") continue;
    return absl::FailedPreconditionError(
        StrCat(options.data_dir, " holds '", name,
               "': a checkpoint is restored into an empty or new directory. If this is what a "
               "restore that broke off left, remove it"));
  }
  if (error) {
    return absl::UnavailableError(StrCat("cannot list ", options.data_dir, ": ", error.message()));
  }
  return absl::OkStatus();
}

// Drives a shard to an orderly stop: everything that it has is then in its disk tier.
class StoppingShard {
 public:
  StoppingShard(Shard* shard, ShardStorage* storage) : shard_(shard), storage_(storage) {}

  absl::Status Run() {
    Effects effects;
    shard_->OnStop(&effects);
    while (!effects.stopped) {
      const bool flush_step = std::exchange(effects.flush_step, false);
      const auto log_job = std::exchange(effects.log_job, std::nullopt);
      const auto file_job = std::exchange(effects.file_job, std::nullopt);
      if (log_job.has_value()) {
        const LogOutcome outcome = RunLogJob(*log_job, storage_->log.get());
        RETURN_IF_ERROR(outcome.status);
        shard_->OnLogDone(outcome, &effects);
      }
      if (file_job.has_value()) {
        const absl::Status status = RunFileJob(*file_job, storage_->disk.get());
        RETURN_IF_ERROR(status);
        shard_->OnFileDone(status, &effects);
      }
      if (flush_step) shard_->OnFlushStep(&effects);
      if (!log_job.has_value() && !file_job.has_value() && !flush_step && !effects.stopped) {
        return absl::InternalError("the shard waits for something that is not coming");
      }
    }
    return absl::OkStatus();
  }

 private:
  Shard* shard_;
  ShardStorage* storage_;
};

// A new shard's rows on their way into its disk tier.
class NewShard {
 public:
  static absl::StatusOr<NewShard> Create(ShardId shard, const std::string& path) {
    NewShard made;
    made.result_ = {shard, path, 0};
    RETURN_IF_ERROR(CreateDirectories(path));
    ASSIGN_OR_RETURN(made.disk_, OpenRocksDiskTier(path + "/rows"));
    RETURN_IF_ERROR(CreateDirectories(path + "/log"));
    return made;
  }

  // In the order of their keys.
  absl::Status Add(std::string_view key, std::string_view value) {
    entries_.push_back({std::string(key), std::string(value)});
    ++result_.rows;
    return entries_.size() < kRowsPerFile ? absl::OkStatus() : WriteOut();
  }
  absl::Status WriteOut() {
    if (entries_.empty()) return absl::OkStatus();
    RETURN_IF_ERROR(disk_->Ingest(entries_));
    entries_.clear();
    return absl::OkStatus();
  }
  // After the last row.
  absl::Status Finish(const std::vector<DiskEntry>& bookkeeping) {
    RETURN_IF_ERROR(WriteOut());
    RETURN_IF_ERROR(disk_->Ingest(bookkeeping));
    disk_.reset();
    return SyncDirectory(result_.path);
  }

  const RestoredShard& result() const { return result_; }

 private:
  RestoredShard result_;
  std::unique_ptr<DiskTier> disk_;
  std::vector<DiskEntry> entries_;
};

class Restore {
 public:
  Restore(const CheckpointRestoreOptions& options, CheckpointManifest manifest,
          const CheckpointRestoreObserver& observe)
      : options_(options),
        manifest_(std::move(manifest)),
        observe_(observe),
        shard_count_(options.shards * options.server_count),
        directory_(fs::path(options.manifest_path).parent_path().string()),
        map_(shard_count_) {
    if (directory_.empty()) directory_.push_back('.');
  }

  absl::StatusOr<CheckpointRestored> Run() {
    RETURN_IF_ERROR(CreateNewShards());
    progress_.shard_count = manifest_.shard_count;
    for (const ShardManifest& shard : manifest_.shards) {
      for (const CheckpointFile& file : shard.files) progress_.bytes_total += file.bytes;
    }
    for (const ShardManifest& shard : manifest_.shards) {
      const absl::Status status = TakeOldShard(shard);
      if (!status.ok()) {
        return About(StrCat("shard ", shard.shard.value(), " of the checkpoint"), status);
      }
      ++progress_.shard;
      observe_(progress_);
    }
    return Finish();
  }

 private:
  std::string TemporaryPath() const { return options_.data_dir + "/restoring"; }

  absl::Status CreateNewShards() {
    const uint32_t first = options_.shards * options_.server_index;
    for (uint32_t i = 0; i < options_.shards; ++i) {
      const ShardId shard(first + i);
      ASSIGN_OR_RETURN(NewShard made, NewShard::Create(shard, StrCat(options_.data_dir, "/shard-",
                                                                     shard.value())));
      new_shards_.push_back(std::move(made));
    }
    return absl::OkStatus();
  }

  absl::Status TakeOldShard(const ShardManifest& old) {
    RETURN_IF_ERROR(Materialize(old));
    RETURN_IF_ERROR(RecoverAndCopy(old));
    std::error_code error;
    fs::remove_all(TemporaryPath(), error);
    if (!error) return absl::OkStatus();
    return absl::UnavailableError(StrCat("cannot remove ", TemporaryPath(), ": ", error.message()));
  }

  absl::Status Materialize(const ShardManifest& old) {
    for (const char* folder : {"/rows", "/log"}) {
      RETURN_IF_ERROR(CreateDirectories(TemporaryPath() + folder));
    }
    for (const CheckpointFile& file : old.files) {
      RETURN_IF_ERROR(
          FetchCheckpointFile(directory_, file, StrCat(TemporaryPath(), "/", file.original)));
      progress_.bytes_done += file.bytes;
      observe_(progress_);
    }
    return WriteDataDirIdentity(TemporaryPath(), IdentityOf(old));
  }

  ShardIdentity IdentityOf(const ShardManifest& old) const {
    return {manifest_.timeline, old.shard, manifest_.shard_count, manifest_.slot_bits};
  }

  absl::Status RecoverAndCopy(const ShardManifest& old) {
    ASSIGN_OR_RETURN(ShardStorage storage, OpenShardStorage(TemporaryPath(), IdentityOf(old)));
    ShardLimits limits;
    limits.flush_step_rows = 1 << 20;  // nobody waits
    limits.memory_bytes_max = options_.memory_bytes_max;
    RefusalCounters refusals;
    Shard shard(storage.identity, limits, SupportedAdagradKernels().back().kernel, &refusals);
    shard.SetReplayCut(manifest_.mark);
    std::string found;
    RETURN_IF_ERROR(RestoreShard(RestoreOptions(), &storage, &shard, &found));
    if (storage.log->next_lsn() <= old.cut) {
      return absl::DataLossError(
          StrCat("its log ends below LSN ", old.cut.value(), ", the cut that its manifest names"));
    }
    RETURN_IF_ERROR(StoppingShard(&shard, &storage).Run());
    lsn_ = std::max({lsn_, Lsn(storage.log->next_lsn().value() - 1), shard.highest_row_lsn()});
    mark_ = std::max(mark_, shard.announced());
    clients_.Merge(shard.clients());
    MergeTables(shard.tables());
    return CopyRows(*storage.disk, shard.tables());
  }

  void MergeTables(const TableSet& tables) {
    for (const TableRecord& table : tables.Records()) {
      const bool known = std::any_of(tables_.begin(), tables_.end(), [&](const TableRecord& t) {
        return t.spec.name == table.spec.name;
      });
      if (!known) tables_.push_back(table);
    }
  }

  absl::Status CopyRows(const DiskTier& disk, const TableSet& tables) {
    return disk.Scan("", MetaBegin(), [&](std::string_view key, std::string_view value) {
      return CopyRow(key, value, tables);
    });
  }

  // Rows of a table or generation that is gone stay behind.
  absl::Status CopyRow(std::string_view key, std::string_view value, const TableSet& tables) {
    ASSIGN_OR_RETURN(const RowKey row, DecodeRowKey(key));
    ASSIGN_OR_RETURN(const Generation generation, RowGeneration(value));
    const TableRows* table = tables.Find(row.table);
    if (table == nullptr || table->generation() != generation) return absl::OkStatus();
    const uint32_t shard = map_.ShardOfSlot(row.slot).value();
    const uint32_t first = options_.shards * options_.server_index;
    if (shard < first || shard >= first + options_.shards) return absl::OkStatus();
    if (++progress_.rows % kRowsPerFile == 0) observe_(progress_);
    return new_shards_[shard - first].Add(key, value);
  }

  absl::StatusOr<CheckpointRestored> Finish() {
    clients_.LeaveAll();
    const Mark mark = std::max(mark_, manifest_.mark);
    CheckpointRestored restored;
    restored.mark = manifest_.mark;
    restored.timeline = options_.timeline != Timeline(0) ? options_.timeline : FreshTimeline();
    restored.shard_count = shard_count_;
    restored.lsn = lsn_;
    restored.tables = tables_.size();
    restored.half_steps = manifest_.half_steps.size();
    for (NewShard& shard : new_shards_) {
      RETURN_IF_ERROR(shard.Finish(MakeBookkeeping(lsn_, mark, clients_, tables_)));
      restored.shards.push_back(shard.result());
    }
    RETURN_IF_ERROR(SyncDirectory(options_.data_dir));
    for (const RestoredShard& shard : restored.shards) {
      RETURN_IF_ERROR(WriteDataDirIdentity(
          shard.path, {restored.timeline, shard.shard, shard_count_, kSlotBits}));
    }
    return restored;
  }

  const CheckpointRestoreOptions& options_;
  const CheckpointManifest manifest_;
  const CheckpointRestoreObserver& observe_;
  const uint32_t shard_count_;
  std::string directory_;  // of the checkpoint
  const SlotMap map_;

  std::vector<NewShard> new_shards_;
  CheckpointRestoreProgress progress_;
  Lsn lsn_;
  Mark mark_;
  ClientTable clients_;
  std::vector<TableRecord> tables_;
};

}  // namespace

Timeline FreshTimeline() {
  std::random_device device;
  return Timeline(uint64_t{device()} << 32 | device() | 1);
}

absl::StatusOr<CheckpointRestored> RestoreCheckpoint(const CheckpointRestoreOptions& options,
                                                     const CheckpointRestoreObserver& observe) {
  ASSIGN_OR_RETURN(CheckpointManifest manifest, ReadManifest(options.manifest_path));
  RETURN_IF_ERROR(CheckTarget(options));
  return Restore(options, std::move(manifest), observe).Run();
}

}  // namespace rowhouse

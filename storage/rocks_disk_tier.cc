#include "storage/rocks_disk_tier.h"

#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "storage/damage_advice.h"
#include "storage/disk_entries.h"
#include "storage/posix_file.h"
#include "storage/rocks_disk_tier_internal.h"
#include "storage/rocks_full_disk.h"
#include "storage/rocks_merges.h"

namespace rowhouse {

namespace {

namespace fs = std::filesystem;

constexpr uint64_t kUnmergedFilesMax = 32;
constexpr std::chrono::seconds kMergeWait{5};

// Rows that are in use are in the shard's memory, so a block that is read for one row hardly serves
// another: blocks are small and not kept, which makes a miss a quarter as dear as through a cache.
// Indexes and filters stay in memory whole: with 16 entries to a restart, an index is 0.15 % of its
// rows.
rocksdb::BlockBasedTableOptions TableOptions() {
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 4 << 10;
  table.index_block_restart_interval = 16;
  table.no_block_cache = true;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  return table;
}

rocksdb::Options DbOptions(const RocksHooks& hooks) {
  rocksdb::Options options;
  if (hooks.env != nullptr) options.env = hooks.env;
  options.statistics = hooks.statistics;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;
  options.write_buffer_size = 256 << 10;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(TableOptions()));
  // Levels between the first and the last come into being only as the data grows: a small database
  // is one level of files that follow each other, not five copies of it.
  options.level_compaction_dynamic_level_bytes = true;
  // No filters where files are merged into the last level, which holds almost all rows: most keys
  // that are asked for exist.
  options.optimize_filters_for_hits = true;
  options.info_log = MakeRocksLogger();
  return options;
}

rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view ToView(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

absl::StatusCode CodeOf(const rocksdb::Status& status) {
  if (status.IsCorruption()) return absl::StatusCode::kDataLoss;
  if (IsFullDisk(status)) return absl::StatusCode::kResourceExhausted;
  if (status.IsIOError()) return absl::StatusCode::kUnavailable;
  if (status.IsInvalidArgument()) return absl::StatusCode::kInvalidArgument;
  return absl::StatusCode::kInternal;
}

std::string AdviceFor(const rocksdb::Status& status) {
  if (status.IsCorruption()) {
    return StrCat("; the files are damaged. ", kDamageAdvice);
  }
  if (IsFullDisk(status)) return "; free space on that disk";
  if (status.IsIOError()) {
    return "; check that the disk works, that the path is writable and that no other process has "
           "it "
           "open";
  }
  return "";
}

absl::Status RocksError(std::string_view doing, std::string_view path,
                        const rocksdb::Status& status) {
  return absl::Status(CodeOf(status), StrCat("disk tier: cannot ", doing, " ", path, ": ",
                                             status.ToString(), AdviceFor(status)));
}

absl::Status FileError(std::string_view doing, std::string_view path, std::error_code error) {
  return absl::Status(absl::StatusCode::kUnavailable,
                      StrCat("disk tier: cannot ", doing, " ", path, ": ", error.message(),
                             "; check that the path is writable"));
}

// Without this check RocksDB would make a new, empty database beside the files of the old one.
absl::Status CheckNotHeadless(const std::string& path) {
  std::error_code error;
  if (fs::exists(path + "/CURRENT", error)) return absl::OkStatus();
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.ends_with(".sst") || name.starts_with("MANIFEST-")) {
      return absl::DataLossError(StrCat("disk tier: ", path, " holds ", name,
                                        " but no file CURRENT: the database is damaged. ",
                                        kDamageAdvice));
    }
  }
  return absl::OkStatus();
}

// "LOG" and "LOCK" belong to a running RocksDB, and its write-ahead log is empty.
bool BelongsToImage(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  std::error_code error;
  if (name.starts_with("LOG") || name == "LOCK") return false;
  return !name.ends_with(".log") || entry.file_size(error) != 0;
}

// Creates an empty folder, or empties it.
absl::Status MakeEmpty(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) fs::create_directories(path, error);
  return error ? FileError("empty", path, error) : absl::OkStatus();
}

class RocksDiskTier final : public DiskTier {
 public:
  // An image where `incoming` is empty.
  RocksDiskTier(std::string path, std::string incoming, std::unique_ptr<rocksdb::Env> env,
                std::shared_ptr<RocksMerges> merges, std::unique_ptr<rocksdb::DB> db)
      : path_(std::move(path)),
        incoming_(std::move(incoming)),
        env_(std::move(env)),
        merges_(std::move(merges)),
        db_(std::move(db)) {
    NoteMemory();
  }

  absl::Status Ingest(std::span<const DiskEntryView> entries) override {
    if (is_image()) return RefuseImage();
    RETURN_IF_ERROR(CheckDiskEntries(entries));
    WaitForMerges();
    const std::string file = StrCat(incoming_, "/", next_file_++, ".sst");
    absl::Status status = WriteFile(file, entries);
    if (status.ok()) status = IngestFile(file);
    NoteMemory();
    std::error_code ignored;  // what stays is removed at the next start
    fs::remove(file, ignored);
    return status;
  }

  absl::StatusOr<std::vector<std::optional<std::string>>> Read(
      std::span<const std::string> keys) const override {
    std::vector<std::optional<std::string>> out(keys.size());
    if (keys.empty()) return out;
    const std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
    std::vector<rocksdb::PinnableSlice> values(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    db_->MultiGet(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), keys.size(), slices.data(),
                  values.data(), statuses.data());
    for (size_t i = 0; i < keys.size(); ++i) {
      if (statuses[i].ok()) {
        out[i] = values[i].ToString();
      } else if (!statuses[i].IsNotFound()) {
        return RocksError("read", path_, statuses[i]);
      }
    }
    return out;
  }

  absl::Status Scan(std::string_view begin, std::string_view end,
                    const Visitor& visit) const override {
    if (!end.empty() && begin >= end) return absl::OkStatus();
    const rocksdb::Slice upper = ToSlice(end);
    rocksdb::ReadOptions options;
    options.fill_cache = false;  // a scan reads everything once
    if (!end.empty()) options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator(options));
    for (at->Seek(ToSlice(begin)); at->Valid(); at->Next()) {
      RETURN_IF_ERROR(visit(ToView(at->key()), ToView(at->value())));
    }
    return at->status().ok() ? absl::OkStatus() : RocksError("scan", path_, at->status());
  }

  uint64_t memory_bytes() const override {
    if (merges_->TakeChange()) NoteMemory();
    return memory_bytes_.load(std::memory_order_relaxed);
  }

  // Hard links where the file system has them.
  absl::Status Freeze(const std::string& name) override {
    if (is_image()) return RefuseImage();
    RETURN_IF_ERROR(DropFrozen(name));
    std::error_code error;
    fs::create_directories(FrozenFolder(), error);
    if (error) return FileError("create", FrozenFolder(), error);
    rocksdb::Checkpoint* maker = nullptr;
    rocksdb::Status status = rocksdb::Checkpoint::Create(db_.get(), &maker);
    const std::unique_ptr<rocksdb::Checkpoint> owner(maker);
    if (status.ok()) status = maker->CreateCheckpoint(FrozenPath(name));
    return status.ok() ? absl::OkStatus()
                       : RocksError("make an image in", FrozenPath(name), status);
  }

  absl::Status DropFrozen(const std::string& name) override {
    std::error_code error;
    fs::remove_all(FrozenPath(name), error);
    if (!error) fs::remove_all(FrozenPath(name) + ".tmp", error);  // of one that was not finished
    return error ? FileError("remove", FrozenPath(name), error) : absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<DiskTier>> OpenFrozen(const std::string& name) const override {
    RETURN_IF_ERROR(CheckFrozen(name));
    return OpenRocksDiskTierReadOnly(FrozenPath(name));
  }

  absl::StatusOr<std::vector<FrozenFile>> ListFrozen(const std::string& name) const override {
    RETURN_IF_ERROR(CheckFrozen(name));
    std::vector<FrozenFile> files;
    std::error_code error;
    fs::directory_iterator at(FrozenPath(name), error);
    for (; !error && at != fs::directory_iterator(); at.increment(error)) {
      if (!BelongsToImage(*at)) continue;
      files.push_back({at->path().filename().string(), at->path().string()});
    }
    if (error) return FileError("list", FrozenPath(name), error);
    std::sort(files.begin(), files.end(),
              [](const FrozenFile& a, const FrozenFile& b) { return a.name < b.name; });
    return files;
  }

 private:
  bool is_image() const { return incoming_.empty(); }
  static absl::Status RefuseImage() {
    return absl::FailedPreconditionError("disk tier: an image cannot be changed");
  }
  std::string FrozenFolder() const { return path_ + ".frozen"; }
  std::string FrozenPath(const std::string& name) const { return FrozenFolder() + "/" + name; }
  absl::Status CheckFrozen(const std::string& name) const {
    std::error_code error;
    if (fs::exists(FrozenPath(name) + "/CURRENT", error)) return absl::OkStatus();
    return absl::NotFoundError(StrCat("disk tier: there is no image ", FrozenPath(name)));
  }

  // RocksDB takes files faster than it merges them, and every read looks into all that are not
  // merged. Waiting here holds up the flush, and so, where memory is short, the pushes. Not for
  // ever: a merge that fails must not keep rows off the disk.
  void WaitForMerges() const {
    const auto give_up = std::chrono::steady_clock::now() + kMergeWait;
    for (;;) {
      const uint64_t ended = merges_->ended();
      if (UnmergedFiles() <= kUnmergedFilesMax || !MergesUnderWay()) return;
      if (!merges_->WaitBeyond(ended, give_up)) return;
    }
  }

  bool MergesUnderWay() const {
    uint64_t running = 0;
    uint64_t pending = 0;
    db_->GetIntProperty(rocksdb::DB::Properties::kNumRunningCompactions, &running);
    db_->GetIntProperty(rocksdb::DB::Properties::kCompactionPending, &pending);
    return running + pending != 0;
  }

  uint64_t UnmergedFiles() const {
    std::string files;
    if (!db_->GetProperty(rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0", &files)) return 0;
    return std::strtoull(files.c_str(), nullptr, 10);
  }

  absl::Status WriteFile(const std::string& file, std::span<const DiskEntryView> entries) {
    // Kept in the page cache: a merge, a checkpoint or a miss reads it soon.
    constexpr bool kInvalidatePageCache = false;
    rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), db_->GetOptions(), nullptr,
                                  kInvalidatePageCache);
    rocksdb::Status status = writer.Open(file);
    for (size_t i = 0; status.ok() && i < entries.size(); ++i) {
      status = writer.Put(ToSlice(entries[i].key), ToSlice(entries[i].value));
    }
    if (status.ok()) status = writer.Finish();  // syncs the file
    return status.ok() ? absl::OkStatus() : RocksError("write", file, status);
  }

  // One file at a time: files of one call share a sequence number, which RocksDB's own consistency
  // check may refuse at the next open where they stand in level 0.
  absl::Status IngestFile(const std::string& file) {
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    options.write_global_seqno = false;  // the file stays as it was synced
    const rocksdb::Status status = db_->IngestExternalFile({file}, options);
    return status.ok() ? absl::OkStatus() : RocksError("ingest into", path_, status);
  }

  void NoteMemory() const {
    uint64_t bytes = 0;
    db_->GetIntProperty(rocksdb::DB::Properties::kEstimateTableReadersMem, &bytes);
    memory_bytes_.store(bytes, std::memory_order_relaxed);
  }

  const std::string path_;
  const std::string incoming_;
  const std::unique_ptr<rocksdb::Env> env_;    // outlives db_
  const std::shared_ptr<RocksMerges> merges_;  // the database tells it
  const std::unique_ptr<rocksdb::DB> db_;
  mutable std::atomic<uint64_t> memory_bytes_ = 0;
  std::atomic<uint64_t> next_file_ = 1;
};

absl::StatusOr<std::unique_ptr<rocksdb::DB>> OpenReadOnly(const std::string& path) {
  rocksdb::Options options = DbOptions(RocksHooks());
  options.create_if_missing = false;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, path, &db);
  if (!status.ok()) return RocksError("open", path, status);
  return std::unique_ptr<rocksdb::DB>(db);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DiskTier>> OpenRocksDiskTierReadOnly(const std::string& path) {
  RETURN_IF_ERROR(CheckNotHeadless(path));
  ASSIGN_OR_RETURN(std::unique_ptr<rocksdb::DB> db, OpenReadOnly(path));
  return std::make_unique<RocksDiskTier>(path, "", nullptr, std::make_shared<RocksMerges>(),
                                         std::move(db));
}

absl::Status VerifyRocksFiles(const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<rocksdb::DB> db, OpenReadOnly(path));
  rocksdb::ReadOptions options;
  options.readahead_size = 2 << 20;
  const rocksdb::Status status = db->VerifyChecksum(options);
  return status.ok() ? absl::OkStatus() : RocksError("verify", path, status);
}

absl::StatusOr<std::unique_ptr<DiskTier>> OpenRocksDiskTier(const std::string& path) {
  return OpenRocksDiskTier(path, RocksHooks());
}

absl::StatusOr<std::unique_ptr<DiskTier>> OpenRocksDiskTier(const std::string& path,
                                                            const RocksHooks& hooks) {
  RETURN_IF_ERROR(CheckNotHeadless(path));
  const std::string incoming = path + ".incoming";
  RETURN_IF_ERROR(CreateDirectories(path));  // durable, or a power cut could take all rows with it
  rocksdb::Options options = DbOptions(hooks);
  const auto merges = std::make_shared<RocksMerges>();
  options.listeners.push_back(ListenFor(merges));
  std::unique_ptr<rocksdb::Env> env = SurviveFullDisk(&options);
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path, &db);
  if (!status.ok()) return RocksError("open", path, status);
  auto tier = std::make_unique<RocksDiskTier>(path, incoming, std::move(env), merges,
                                              std::unique_ptr<rocksdb::DB>(db));
  // Only now: the open database's lock keeps others out.
  RETURN_IF_ERROR(MakeEmpty(incoming));
  std::error_code error;
  fs::remove_all(path + ".frozen", error);
  if (error) return FileError("remove", path + ".frozen", error);
  return tier;
}

}  // namespace rowhouse

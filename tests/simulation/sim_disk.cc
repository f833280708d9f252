#include "tests/simulation/sim_disk.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "storage/log_recovery.h"
#include "storage/memory_disk_tier.h"
#include "storage/row_codec.h"
#include "tests/support/forwarding_disk_tier.h"
#include "tests/support/forwarding_log_files.h"

namespace rowhouse {

class SimDisk::FileView final : public ForwardingLogFile {
 public:
  FileView(SimDisk* disk, std::unique_ptr<LogFile> file)
      : ForwardingLogFile(std::move(file)), disk_(disk) {}

  absl::Status Append(std::span<const std::span<const std::byte>> pieces) override {
    const Step step = disk_->NextWrite();
    if (step == Step::kDo) return ForwardingLogFile::Append(pieces);
    if (step == Step::kDieAfter) AppendPart(pieces);
    return disk_->Dead();
  }

  absl::Status Sync() override {
    return disk_->DoWrite([this] {
      const absl::Status status = ForwardingLogFile::Sync();
      disk_->world_->Count(status.ok() ? "sync" : "sync failed");
      return status;
    });
  }

  absl::Status Rewrite(uint64_t offset, std::span<const std::byte> bytes) override {
    return disk_->DoWrite([&] {
      disk_->world_->Count("batch written again");
      return ForwardingLogFile::Rewrite(offset, bytes);
    });
  }

  absl::Status Truncate(uint64_t bytes) override {
    return disk_->DoWrite([&] { return ForwardingLogFile::Truncate(bytes); });
  }

 private:
  // A write that the end of the process cut short.
  void AppendPart(std::span<const std::span<const std::byte>> pieces) {
    uint64_t total = 0;
    for (const auto piece : pieces) total += piece.size();
    uint64_t left = disk_->world_->Between(0, total);
    std::vector<std::span<const std::byte>> part;
    for (const auto piece : pieces) {
      part.push_back(piece.first(std::min<uint64_t>(left, piece.size())));
      left -= part.back().size();
    }
    ForwardingLogFile::Append(part).IgnoreError();
  }

  SimDisk* disk_;
};

class SimDisk::View final : public ForwardingLogFiles {
 public:
  explicit View(SimDisk* disk) : ForwardingLogFiles(&disk->files_), disk_(disk) {}

  absl::StatusOr<std::unique_ptr<LogFile>> Create(std::string_view name) override {
    std::unique_ptr<LogFile> file;
    RETURN_IF_ERROR(disk_->DoWrite([&]() -> absl::Status {
      ASSIGN_OR_RETURN(file, ForwardingLogFiles::Create(name));
      return absl::OkStatus();
    }));
    return file;
  }
  absl::StatusOr<RemovedFile> Remove(std::string_view name) override {
    RETURN_IF_ERROR(disk_->DoWrite([&] {
      const absl::Status status = disk_->Unlink(name);
      disk_->world_->Count(status.ok() ? "segment unlinked" : "unlink failed");
      return status;
    }));
    return nullptr;
  }

 private:
  std::unique_ptr<LogFile> Wrap(std::unique_ptr<LogFile> file) override {
    return std::make_unique<FileView>(disk_, std::move(file));
  }

  SimDisk* disk_;
};

class SimDisk::RowsView final : public ForwardingDiskTier {
 public:
  explicit RowsView(SimDisk* disk) : ForwardingDiskTier(disk->rows_.get()), disk_(disk) {}

  using DiskTier::Ingest;
  absl::Status Ingest(std::span<const DiskEntryView> entries) override {
    if (disk_->fail_ingests_) return absl::ResourceExhaustedError("memory: rows: the disk is full");
    return disk_->DoWrite([&] {
      disk_->world_->Count("ingest");
      return tier().Ingest(entries);
    });
  }
  absl::StatusOr<std::vector<std::optional<std::string>>> Read(
      std::span<const std::string> keys) const override {
    if (disk_->fail_reads_) return absl::UnavailableError("memory: rows: the read failed");
    ASSIGN_OR_RETURN(auto values, tier().Read(keys));
    const auto missing = std::count(values.begin(), values.end(), std::nullopt);
    disk_->world_->Count("rows read from disk", keys.size() - static_cast<size_t>(missing));
    disk_->world_->Count("rows sought on disk that are not there", static_cast<size_t>(missing));
    return values;
  }
  absl::Status Freeze(const std::string& name) override {
    if (disk_->fail_ingests_) return absl::ResourceExhaustedError("memory: rows: the disk is full");
    disk_->images_.insert(name);
    return disk_->DoWrite([&] { return tier().Freeze(name); });
  }
  absl::Status DropFrozen(const std::string& name) override {
    return disk_->DoWrite([&] { return tier().DropFrozen(name); });
  }

 private:
  SimDisk* disk_;
};

SimDisk::SimDisk(World* world) : world_(world), rows_(MakeMemoryDiskTier()) {}

std::unique_ptr<LogFiles> SimDisk::OpenLogFiles() { return std::make_unique<View>(this); }
std::unique_ptr<DiskTier> SimDisk::OpenRows() {
  DropImages();
  return std::make_unique<RowsView>(this);
}

SimDisk::Step SimDisk::NextWrite() {
  if (dead_) return Step::kDieBefore;
  if (writes_left_ == 0 || --writes_left_ > 0) return Step::kDo;
  dead_ = true;
  world_->Count("died in a write");
  return world_->OneIn(2) ? Step::kDieBefore : Step::kDieAfter;
}

absl::Status SimDisk::Dead() const { return absl::AbortedError("memory: the process has ended"); }

template <typename Write>
absl::Status SimDisk::DoWrite(Write write) {
  const Step step = NextWrite();
  if (step == Step::kDo) return write();
  if (step == Step::kDieAfter) write().IgnoreError();
  return Dead();
}

void SimDisk::Revive() {
  dead_ = false;
  writes_left_ = 0;
}

void SimDisk::DropImages() {
  for (const std::string& name : images_) rows_->DropFrozen(name).IgnoreError();
  images_.clear();
}

absl::Status SimDisk::Unlink(std::string_view name) {
  ASSIGN_OR_RETURN(const uint64_t size_bytes, files_.SizeBytes(name));
  ASSIGN_OR_RETURN(std::vector<std::byte> bytes, files_.Read(name, 0, size_bytes));
  RETURN_IF_ERROR(files_.Remove(name).status());
  unlinked_[std::string(name)] = std::move(bytes);
  return absl::OkStatus();
}

void SimDisk::LosePower() {
  files_.DropFailedSyncs();
  const std::vector<std::string> names = *files_.List();
  for (const std::string& name : names) MangleUnsynced(name);
  if (world_->OneIn(4)) BringBackUnlinked();
}

// Unsynced pages reach the disk in any order or not at all.
void SimDisk::MangleUnsynced(std::string_view name) {
  std::vector<std::byte>& bytes = files_.Contents(name);
  const uint64_t synced = files_.CleanBytes(name);
  const uint64_t unsynced = bytes.size() - synced;
  if (unsynced == 0) return;
  world_->Count("unsynced bytes lost");
  switch (world_->random.Below(4)) {
    case 0:
      return bytes.resize(synced);
    case 1:
      return bytes.resize(synced + world_->random.Below(unsynced));
    case 2: {
      const uint64_t from = synced + world_->random.Below(unsynced);
      const uint64_t until = world_->Between(from, bytes.size());
      std::fill(bytes.begin() + static_cast<ptrdiff_t>(from),
                bytes.begin() + static_cast<ptrdiff_t>(until), std::byte{0});
      return;
    }
    default:
      return;  // the system had written it out by itself
  }
}

// An unlink that had not reached the disk.
void SimDisk::BringBackUnlinked() {
  if (unlinked_.empty() || failing_) return;
  const auto& [name, bytes] = *unlinked_.rbegin();
  auto file = files_.Create(name);
  if (!file.ok()) return;
  world_->Count("unlink undone");
  const std::span<const std::byte> content(bytes);
  (*file)->Append(std::span(&content, 1)).IgnoreError();
  (*file)->Sync().IgnoreError();
}

void SimDisk::FillUp() {
  uint64_t used = 0;
  const std::vector<std::string> names = *files_.List();
  for (const std::string& name : names) used += files_.Contents(name).size();
  files_.SetDiskBytesMax(used + world_->Between(0, 500));
  failing_ = fail_ingests_ = true;
}

void SimDisk::TearAppends() {
  files_.TearAppendsAfter(world_->Between(0, 500));
  files_.FailTruncates(world_->OneIn(3));
  files_.FailRemoves(world_->OneIn(3));
  failing_ = true;
}

void SimDisk::FailSyncs(bool fail) {
  files_.FailSyncs(fail);
  failing_ |= fail;
}

void SimDisk::Heal() {
  files_.SetDiskBytesMax(std::numeric_limits<uint64_t>::max());
  files_.HealAppends();
  files_.FailSyncs(false);
  files_.FailTruncates(false);
  files_.FailRemoves(false);
  failing_ = fail_ingests_ = fail_reads_ = false;
}

absl::StatusOr<Journal> SimDisk::ReadLog() const {
  MemoryLogFiles all;
  const auto add = [&all](std::string_view name, std::span<const std::byte> bytes) -> absl::Status {
    ASSIGN_OR_RETURN(auto file, all.Create(name));
    return file->Append(std::span(&bytes, 1));
  };
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List());
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const uint64_t size, files_.SizeBytes(name));
    ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, files_.Read(name, 0, size));
    RETURN_IF_ERROR(add(name, bytes));
  }
  for (const auto& [name, bytes] : unlinked_) {
    if (!files_.SizeBytes(name).ok()) RETURN_IF_ERROR(add(name, bytes));
  }
  Journal journal;
  RETURN_IF_ERROR(RecoverLog(all, Lsn(0), Lsn(0), [&](const LogRecord& record) {
                    journal.push_back(record);
                    return absl::OkStatus();
                  }).status());
  return journal;
}

absl::StatusOr<Rows> SimDisk::ReadRows() const {
  constexpr size_t kHeaderBytes = 16;
  Rows rows;
  RETURN_IF_ERROR(rows_->Scan(
      "", MetaBegin(), [&](std::string_view key, std::string_view value) -> absl::Status {
        ASSIGN_OR_RETURN(const RowKey name, DecodeRowKey(key));
        if (value.size() < kHeaderBytes) return absl::DataLossError("row: too short");
        OracleRow& row = rows[{name.table, name.key}];
        std::memcpy(static_cast<void*>(&row.lsn), value.data() + 8, sizeof(row.lsn));
        const size_t dim = (value.size() - kHeaderBytes) / (2 * sizeof(float));
        row.weights.resize(dim);
        row.state.resize(dim);
        std::memcpy(row.weights.data(), value.data() + kHeaderBytes, dim * sizeof(float));
        std::memcpy(row.state.data(), value.data() + kHeaderBytes + dim * sizeof(float),
                    dim * sizeof(float));
        return absl::OkStatus();
      }));
  return rows;
}

}  // namespace rowhouse

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

namespace rowhouse {

class SimDisk::FileView final : public LogFile {
 public:
  FileView(SimDisk* disk, std::string name, std::unique_ptr<LogFile> file)
      : disk_(disk), name_(std::move(name)), file_(std::move(file)) {}

  absl::Status Append(std::span<const std::span<const std::byte>> pieces) override {
    const Step step = disk_->NextWrite();
    if (step == Step::kDo) return file_->Append(pieces);
    if (step == Step::kDieAfter) AppendPart(pieces);
    return disk_->Dead();
  }

  absl::Status Sync() override {
    return disk_->DoWrite([this] {
      RETURN_IF_ERROR(file_->Sync());
      disk_->synced_bytes_[name_] = file_->size_bytes();
      return absl::OkStatus();
    });
  }

  absl::Status Truncate(uint64_t bytes) override {
    return disk_->DoWrite([&] {
      RETURN_IF_ERROR(file_->Truncate(bytes));
      uint64_t& synced = disk_->synced_bytes_[name_];
      synced = std::min(synced, bytes);
      return absl::OkStatus();
    });
  }

  uint64_t size_bytes() const override { return file_->size_bytes(); }

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
    file_->Append(part).IgnoreError();
  }

  SimDisk* disk_;
  std::string name_;
  std::unique_ptr<LogFile> file_;
};

class SimDisk::View final : public LogFiles {
 public:
  explicit View(SimDisk* disk) : disk_(disk) {}

  absl::StatusOr<std::unique_ptr<LogFile>> Create(std::string_view name) override {
    std::unique_ptr<LogFile> file;
    RETURN_IF_ERROR(disk_->DoWrite([&]() -> absl::Status {
      ASSIGN_OR_RETURN(file, disk_->files_.Create(name));
      return absl::OkStatus();
    }));
    return std::make_unique<FileView>(disk_, std::string(name), std::move(file));
  }
  absl::StatusOr<std::unique_ptr<LogFile>> OpenForAppend(std::string_view name) override {
    ASSIGN_OR_RETURN(auto file, disk_->files_.OpenForAppend(name));
    return std::make_unique<FileView>(disk_, std::string(name), std::move(file));
  }
  absl::StatusOr<std::vector<std::byte>> Read(std::string_view name, uint64_t offset,
                                              size_t bytes) const override {
    return disk_->files_.Read(name, offset, bytes);
  }
  absl::StatusOr<uint64_t> SizeBytes(std::string_view name) const override {
    return disk_->files_.SizeBytes(name);
  }
  absl::StatusOr<std::vector<std::string>> List() const override { return disk_->files_.List(); }
  absl::Status Remove(std::string_view name) override {
    return disk_->DoWrite([&] {
      RETURN_IF_ERROR(disk_->Archive(name));
      return disk_->files_.Remove(name);
    });
  }
  std::string Describe(std::string_view name) const override {
    return disk_->files_.Describe(name);
  }

 private:
  SimDisk* disk_;
};

class SimDisk::RowsView final : public DiskTier {
 public:
  explicit RowsView(SimDisk* disk) : disk_(disk) {}

  using DiskTier::Ingest;
  absl::Status Ingest(std::span<const DiskEntryView> entries) override {
    if (disk_->fail_ingests_) return absl::ResourceExhaustedError("memory: rows: the disk is full");
    return disk_->DoWrite([&] {
      disk_->world_->Count("ingest");
      return disk_->rows_->Ingest(entries);
    });
  }
  absl::StatusOr<std::vector<std::optional<std::string>>> Read(
      std::span<const std::string> keys) const override {
    if (disk_->fail_reads_) return absl::UnavailableError("memory: rows: the read failed");
    disk_->world_->Count("rows read from disk", keys.size());
    return disk_->rows_->Read(keys);
  }
  absl::Status Scan(std::string_view begin, std::string_view end,
                    const Visitor& visit) const override {
    return disk_->rows_->Scan(begin, end, visit);
  }
  absl::Status Freeze(const std::string& name) override {
    if (disk_->fail_ingests_) return absl::ResourceExhaustedError("memory: rows: the disk is full");
    disk_->images_.insert(name);
    return disk_->DoWrite([&] { return disk_->rows_->Freeze(name); });
  }
  absl::Status DropFrozen(const std::string& name) override {
    return disk_->DoWrite([&] { return disk_->rows_->DropFrozen(name); });
  }
  absl::StatusOr<std::unique_ptr<DiskTier>> OpenFrozen(const std::string& name) const override {
    return disk_->rows_->OpenFrozen(name);
  }
  absl::StatusOr<std::vector<FrozenFile>> ListFrozen(const std::string& name) const override {
    return disk_->rows_->ListFrozen(name);
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

absl::Status SimDisk::Archive(std::string_view name) {
  ASSIGN_OR_RETURN(const uint64_t bytes, files_.SizeBytes(name));
  ASSIGN_OR_RETURN(unlinked_[std::string(name)], files_.Read(name, 0, bytes));
  world_->Count("segment unlinked");
  return absl::OkStatus();
}

void SimDisk::LosePower() {
  const std::vector<std::string> names = *files_.List();
  for (const std::string& name : names) MangleUnsynced(name);
  if (world_->OneIn(4)) BringBackUnlinked();
}

// Unsynced pages reach the disk in any order or not at all.
void SimDisk::MangleUnsynced(std::string_view name) {
  std::vector<std::byte>& bytes = files_.Contents(name);
  const uint64_t synced = std::min<uint64_t>(synced_bytes_[std::string(name)], bytes.size());
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
  synced_bytes_[name] = bytes.size();
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

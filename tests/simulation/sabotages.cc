#include "tests/simulation/sabotages.h"

#include <cstring>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "storage/row_codec.h"

namespace rowhouse {
namespace {

class LateLog final : public PushLog {
 public:
  explicit LateLog(std::unique_ptr<PushLog> log) : log_(std::move(log)) {}

  absl::Status Write(std::span<const LogRecord> records) override {
    RETURN_IF_ERROR(WriteLate());
    late_.assign(records.begin(), records.end());
    return absl::OkStatus();
  }
  absl::Status Sync() override {
    RETURN_IF_ERROR(WriteLate());
    return log_->Sync();
  }
  absl::Status Trim(Lsn watermark) override { return log_->Trim(watermark); }
  Lsn next_lsn() const override { return Lsn(log_->next_lsn().value() + late_.size()); }
  Lsn synced_lsn() const override { return log_->synced_lsn(); }
  uint64_t size_bytes() const override { return log_->size_bytes(); }
  std::string cut_message() const override { return log_->cut_message(); }

 private:
  absl::Status WriteLate() {
    if (late_.empty()) return absl::OkStatus();
    RETURN_IF_ERROR(log_->Write(late_));
    late_.clear();
    return absl::OkStatus();
  }

  std::unique_ptr<PushLog> log_;
  std::vector<LogRecord> late_;
};

// Changes entries on their way to or from the disk.
class AlteredDisk final : public DiskTier {
 public:
  using Alter = std::function<bool(DiskEntry*)>;  // false: the entry is left out

  AlteredDisk(std::unique_ptr<DiskTier> disk, Alter in, Alter out)
      : disk_(std::move(disk)), in_(std::move(in)), out_(std::move(out)) {}

  using DiskTier::Ingest;
  absl::Status Ingest(std::span<const DiskEntryView> entries) override {
    std::vector<DiskEntry> altered;
    for (const DiskEntryView& view : entries) {
      DiskEntry entry{std::string(view.key), std::string(view.value)};
      if (!in_ || in_(&entry)) altered.push_back(std::move(entry));
    }
    return altered.empty() ? absl::OkStatus() : disk_->Ingest(altered);
  }
  absl::StatusOr<std::vector<std::optional<std::string>>> Read(
      std::span<const std::string> keys) const override {
    ASSIGN_OR_RETURN(auto values, disk_->Read(keys));
    for (size_t i = 0; i < keys.size(); ++i) {
      if (!out_ || !values[i].has_value()) continue;
      DiskEntry entry{keys[i], *values[i]};
      if (out_(&entry)) values[i] = entry.value;
    }
    return values;
  }
  absl::Status Scan(std::string_view begin, std::string_view end,
                    const Visitor& visit) const override {
    return disk_->Scan(begin, end, [&](std::string_view key, std::string_view value) {
      DiskEntry entry{std::string(key), std::string(value)};
      if (out_ && !out_(&entry)) return absl::OkStatus();
      return visit(entry.key, entry.value);
    });
  }
  absl::Status Freeze(const std::string& name) override { return disk_->Freeze(name); }
  absl::Status DropFrozen(const std::string& name) override { return disk_->DropFrozen(name); }
  absl::StatusOr<std::unique_ptr<DiskTier>> OpenFrozen(const std::string& name) const override {
    return disk_->OpenFrozen(name);
  }
  absl::StatusOr<std::vector<FrozenFile>> ListFrozen(const std::string& name) const override {
    return disk_->ListFrozen(name);
  }

 private:
  std::unique_ptr<DiskTier> disk_;
  Alter in_;
  Alter out_;
};

Sabotage AlterDisk(AlteredDisk::Alter in, AlteredDisk::Alter out) {
  Sabotage sabotage;
  sabotage.disk = [=](std::unique_ptr<DiskTier> disk) {
    return std::make_unique<AlteredDisk>(std::move(disk), in, out);
  };
  return sabotage;
}

void AddToNumber(uint64_t n, std::string* bytes) {
  uint64_t value = 0;
  std::memcpy(&value, bytes->data(), sizeof(value));
  value += n;
  std::memcpy(bytes->data(), &value, sizeof(value));
}

}  // namespace

Sabotage AcknowledgeBeforeLogWrite() {
  Sabotage sabotage;
  sabotage.log = [](std::unique_ptr<PushLog> log) {
    return std::make_unique<LateLog>(std::move(log));
  };
  return sabotage;
}

Sabotage DedupWindowNotPersisted() {
  return AlterDisk([](DiskEntry* entry) { return entry->key != MetaKey("client_table"); }, nullptr);
}

Sabotage WatermarkAheadOfRows() {
  return AlterDisk(
      [](DiskEntry* entry) {
        if (entry->key == MetaKey("watermark")) AddToNumber(1, &entry->value);
        return true;
      },
      nullptr);
}

Sabotage CheckpointWithoutMarks() {
  Sabotage sabotage;
  sabotage.push_mark = [](Mark) { return Mark(0); };
  return sabotage;
}

Sabotage ReplayIgnoresRowLsns() {
  return AlterDisk(nullptr, [](DiskEntry* entry) {
    // format, generation, then the LSN
    if (entry->key < MetaBegin()) std::memset(entry->value.data() + 8, 0, sizeof(uint64_t));
    return true;
  });
}

}  // namespace rowhouse

#include "tests/simulation/sabotages.h"

#include <cstring>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "storage/row_codec.h"
#include "tests/support/forwarding_disk_tier.h"
#include "tests/support/forwarding_log_files.h"

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
  absl::Status Trim(Lsn watermark, std::vector<RemovedFile>* removed) override {
    return log_->Trim(watermark, removed);
  }
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
class AlteredDisk final : public ForwardingDiskTier {
 public:
  using Alter = std::function<bool(DiskEntry*)>;  // false: the entry is left out

  AlteredDisk(std::unique_ptr<DiskTier> disk, Alter in, Alter out)
      : ForwardingDiskTier(disk.get()),
        owned_(std::move(disk)),
        in_(std::move(in)),
        out_(std::move(out)) {}

  using DiskTier::Ingest;
  absl::Status Ingest(std::span<const DiskEntryView> entries) override {
    std::vector<DiskEntry> altered;
    for (const DiskEntryView& view : entries) {
      DiskEntry entry{std::string(view.key), std::string(view.value)};
      if (!in_ || in_(&entry)) altered.push_back(std::move(entry));
    }
    return altered.empty() ? absl::OkStatus() : tier().Ingest(altered);
  }
  absl::StatusOr<std::vector<std::optional<std::string>>> Read(
      std::span<const std::string> keys) const override {
    ASSIGN_OR_RETURN(auto values, tier().Read(keys));
    for (size_t i = 0; i < keys.size(); ++i) {
      if (!out_ || !values[i].has_value()) continue;
      DiskEntry entry{keys[i], *values[i]};
      if (out_(&entry)) values[i] = entry.value;
    }
    return values;
  }
  absl::Status Scan(std::string_view begin, std::string_view end,
                    const Visitor& visit) const override {
    return tier().Scan(begin, end, [&](std::string_view key, std::string_view value) {
      DiskEntry entry{std::string(key), std::string(value)};
      if (out_ && !out_(&entry)) return absl::OkStatus();
      return visit(entry.key, entry.value);
    });
  }

 private:
  const std::unique_ptr<DiskTier> owned_;
  const Alter in_;
  const Alter out_;
};

// Trusts that a sync covers what one before it failed to write.
class TrustingFiles final : public ForwardingLogFiles {
 public:
  explicit TrustingFiles(std::unique_ptr<LogFiles> files)
      : ForwardingLogFiles(files.get()), owned_(std::move(files)) {}

 private:
  class File final : public ForwardingLogFile {
   public:
    using ForwardingLogFile::ForwardingLogFile;
    absl::Status Rewrite(uint64_t, std::span<const std::byte>) override { return absl::OkStatus(); }
  };

  std::unique_ptr<LogFile> Wrap(std::unique_ptr<LogFile> file) override {
    return std::make_unique<File>(std::move(file));
  }

  const std::unique_ptr<LogFiles> owned_;
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

Sabotage SyncTrustedAfterAFailedOne() {
  Sabotage sabotage;
  sabotage.files = [](std::unique_ptr<LogFiles> files) {
    return std::make_unique<TrustingFiles>(std::move(files));
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

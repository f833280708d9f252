#include "storage/memory_disk_tier.h"

#include <map>
#include <mutex>
#include <shared_mutex>

#include "common/status_macros.h"
#include "storage/disk_entries.h"

namespace rowhouse {
namespace {

class MemoryDiskTier final : public DiskTier {
 public:
  absl::Status Ingest(std::span<const DiskEntryView> entries) override {
    RETURN_IF_ERROR(CheckDiskEntries(entries));
    const std::unique_lock lock(mutex_);
    for (const DiskEntryView& entry : entries) {
      entries_.insert_or_assign(std::string(entry.key), entry.value);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::optional<std::string>>> Read(
      std::span<const std::string> keys) const override {
    const std::shared_lock lock(mutex_);
    std::vector<std::optional<std::string>> values(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      const auto found = entries_.find(keys[i]);
      if (found != entries_.end()) values[i] = found->second;
    }
    return values;
  }

  // Visits a copy, as RocksDB visits a snapshot: `visit` may ingest.
  absl::Status Scan(std::string_view begin, std::string_view end,
                    const Visitor& visit) const override {
    for (const DiskEntry& entry : Copy(begin, end)) {
      RETURN_IF_ERROR(visit(entry.key, entry.value));
    }
    return absl::OkStatus();
  }

 private:
  std::vector<DiskEntry> Copy(std::string_view begin, std::string_view end) const {
    const std::shared_lock lock(mutex_);
    std::vector<DiskEntry> copy;
    for (auto at = entries_.lower_bound(begin); at != entries_.end(); ++at) {
      if (!end.empty() && at->first >= end) break;
      copy.push_back({at->first, at->second});
    }
    return copy;
  }

  mutable std::shared_mutex mutex_;
  std::map<std::string, std::string, std::less<>> entries_;  // guarded by mutex_
};

}  // namespace

std::unique_ptr<DiskTier> MakeMemoryDiskTier() { return std::make_unique<MemoryDiskTier>(); }

}  // namespace rowhouse

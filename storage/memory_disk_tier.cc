#include "storage/memory_disk_tier.h"

#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "storage/disk_entries.h"

namespace rowhouse {
namespace {

using Entries = std::map<std::string, std::string, std::less<>>;

class MemoryDiskTier final : public DiskTier {
 public:
  MemoryDiskTier() : entries_(std::make_shared<Entries>()) {}
  explicit MemoryDiskTier(std::shared_ptr<Entries> image)
      : is_image_(true), entries_(std::move(image)) {}

  absl::Status Ingest(std::span<const DiskEntryView> entries) override {
    RETURN_IF_ERROR(CheckDiskEntries(entries));
    if (is_image_) return RefuseImage();
    const std::unique_lock lock(mutex_);
    if (entries_.use_count() > 1) entries_ = std::make_shared<Entries>(*entries_);
    for (const DiskEntryView& entry : entries) {
      entries_->insert_or_assign(std::string(entry.key), entry.value);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::optional<std::string>>> Read(
      std::span<const std::string> keys) const override {
    const std::shared_lock lock(mutex_);
    std::vector<std::optional<std::string>> values(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      const auto found = entries_->find(keys[i]);
      if (found != entries_->end()) values[i] = found->second;
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

  absl::Status Freeze(const std::string& name) override {
    if (is_image_) return RefuseImage();
    const std::unique_lock lock(mutex_);
    frozen_[name] = entries_;
    return absl::OkStatus();
  }

  absl::Status DropFrozen(const std::string& name) override {
    const std::unique_lock lock(mutex_);
    frozen_.erase(name);
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<DiskTier>> OpenFrozen(const std::string& name) const override {
    const std::shared_lock lock(mutex_);
    const auto found = frozen_.find(name);
    if (found == frozen_.end()) return NoImage(name);
    return std::make_unique<MemoryDiskTier>(found->second);
  }

  absl::StatusOr<std::vector<FrozenFile>> ListFrozen(const std::string& name) const override {
    const std::shared_lock lock(mutex_);
    if (!frozen_.contains(name)) return NoImage(name);
    return std::vector<FrozenFile>();
  }

 private:
  static absl::Status RefuseImage() {
    return absl::FailedPreconditionError("disk tier: an image cannot be changed");
  }
  static absl::Status NoImage(const std::string& name) {
    return absl::NotFoundError(StrCat("disk tier: there is no image '", name, "'"));
  }

  std::vector<DiskEntry> Copy(std::string_view begin, std::string_view end) const {
    const std::shared_lock lock(mutex_);
    std::vector<DiskEntry> copy;
    for (auto at = entries_->lower_bound(begin); at != entries_->end(); ++at) {
      if (!end.empty() && at->first >= end) break;
      copy.push_back({at->first, at->second});
    }
    return copy;
  }

  const bool is_image_ = false;

  mutable std::shared_mutex mutex_;
  std::shared_ptr<Entries> entries_;  // copied before a change where an image shares them
  std::map<std::string, std::shared_ptr<Entries>> frozen_;
};

}  // namespace

std::unique_ptr<DiskTier> MakeMemoryDiskTier() { return std::make_unique<MemoryDiskTier>(); }

}  // namespace rowhouse

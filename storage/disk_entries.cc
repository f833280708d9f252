#include "storage/disk_entries.h"

#include "common/text.h"

namespace rowhouse {

absl::Status CheckDiskEntries(std::span<const DiskEntryView> entries) {
  if (entries.empty()) return absl::InvalidArgumentError("disk tier: no entries to ingest");
  if (entries.front().key.empty()) return absl::InvalidArgumentError("disk tier: an empty key");
  for (size_t i = 1; i < entries.size(); ++i) {
    if (entries[i - 1].key < entries[i].key) continue;
    return absl::InvalidArgumentError(StrCat("disk tier: the key of entry ", i, " of ",
                                             entries.size(),
                                             " does not sort after the one before it"));
  }
  return absl::OkStatus();
}

absl::Status DiskTier::Ingest(std::span<const DiskEntry> entries) {
  std::vector<DiskEntryView> views;
  views.reserve(entries.size());
  for (const DiskEntry& entry : entries) views.push_back({entry.key, entry.value});
  return Ingest(std::span<const DiskEntryView>(views));
}

}  // namespace rowhouse

// The disk tier: sorted entries that are written in files and read by point or by range.
//
// Two implementations under one conformance suite: RocksDB (rocks_disk_tier.h) and memory
// (memory_disk_tier.h, for simulation and for tsan).
//
// Threading: Ingest, Read and Scan may be called from any thread, and concurrently.
// Errors: a full or failing disk is an error status; what was ingested before stays readable.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rowhouse {

struct DiskEntry {
  std::string key;
  std::string value;
};

struct DiskEntryView {
  std::string_view key;
  std::string_view value;
};

class DiskTier {
 public:
  virtual ~DiskTier() = default;

  // entries: sorted by key bytes, unique, not empty. All or none of them; later ones win over
  // earlier files. Durable against power loss on return.
  virtual absl::Status Ingest(std::span<const DiskEntryView> entries) = 0;
  absl::Status Ingest(std::span<const DiskEntry> entries);

  // One result per key, in their order.
  virtual absl::StatusOr<std::vector<std::optional<std::string>>> Read(
      std::span<const std::string> keys) const = 0;

  // Entries with begin <= key < end in key order; an empty `end` means "to the last one".
  // A failed visit stops the scan with its status.
  using Visitor = std::function<absl::Status(std::string_view key, std::string_view value)>;
  virtual absl::Status Scan(std::string_view begin, std::string_view end,
                            const Visitor& visit) const = 0;
};

}  // namespace rowhouse

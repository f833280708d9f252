// The disk tier: sorted entries that are written in files and read by point or by range.
//
// Two implementations under one conformance suite: RocksDB (rocks_disk_tier.h) and memory
// (memory_disk_tier.h, for simulation and for tsan).
//
// Threading: Ingest, Read and Scan may be called from any thread, and concurrently.
// Errors: a full or failing disk is an error status; what was ingested before stays readable.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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

// A file of an image.
struct FrozenFile {
  std::string name;  // within the tier: "000012.sst"
  std::string path;
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

  // What the tier keeps in memory for reading (indexes, filters), which grows with its entries.
  virtual uint64_t memory_bytes() const { return 0; }

  // An image of everything that is ingested by now, which later calls do not change; it takes the
  // place of one of the same name. Costs no copy of the entries. Images end with the process: what
  // a crash left is removed when the tier is opened. Neither Freeze nor DropFrozen of one name may
  // run twice at a time.
  virtual absl::Status Freeze(const std::string& name) = 0;
  // OK where there is none.
  virtual absl::Status DropFrozen(const std::string& name) = 0;
  // The image as a tier that refuses to change. It must be closed before the image is dropped.
  virtual absl::StatusOr<std::unique_ptr<DiskTier>> OpenFrozen(const std::string& name) const = 0;
  // What a copy of the image consists of; none where the tier lives in memory.
  virtual absl::StatusOr<std::vector<FrozenFile>> ListFrozen(const std::string& name) const = 0;
};

}  // namespace rowhouse

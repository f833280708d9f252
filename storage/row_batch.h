// Rows as they come back from the disk tier: many at a time, checked and ready to be copied.
//
// Threading: free functions; several scans of one tier may run at once.
// Errors: DataLoss for a row that does not decode, naming it; a failed `take` ends the scan with
//   its status.
// Cost: each row's bytes are copied once; batches are of a few hundred KB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "common/types.h"
#include "storage/disk_tier.h"
#include "storage/row_layout.h"

namespace rowhouse {

// What rows of a table look like; rows of other tables and generations are passed over.
struct StoredTable {
  TableId id;
  Generation generation;
  RowLayout layout;
};

struct RowBatch {
  TableId table;
  uint32_t from_slot = 0;  // no later batch of the scan has rows of slots below it
  std::vector<Key> keys;
  std::vector<std::byte> values;  // per key as TableRows::Load wants them
  Lsn highest_lsn;
};

// Slots first <= slot < end.
struct SlotRange {
  uint32_t first = 0;
  uint32_t end = 0;
};

// Batches in which rows stand in the order of their keys; each row once.
absl::Status ScanRows(const DiskTier& disk, SlotRange slots, std::span<const StoredTable> tables,
                      const std::function<absl::Status(RowBatch batch)>& take);

}  // namespace rowhouse

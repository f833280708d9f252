// Rows and bookkeeping as the disk tier's keys and values.
//
//   row key   := slot:u16be table:u64be key:u64be          a slot is one contiguous range
//   row value := format:u32 generation:u32 lsn:u64 weights:f32[dim] state:f32[state_floats]   (LE)
//   meta key  := 0xff 0xff name                            sorts behind every row
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/types.h"
#include "storage/disk_tier.h"
#include "storage/row_layout.h"

namespace rowhouse {

inline constexpr uint32_t kRowFormat = 1;

struct RowKey {
  SlotId slot;
  TableId table;
  Key key;
};

std::string EncodeRowKey(TableId table, Key key);
absl::StatusOr<RowKey> DecodeRowKey(std::string_view bytes);

DiskEntry EncodeRow(TableId table, const RowLayout& layout, const std::byte* row);
// Format and generation of a stored value, to find out whether it is still wanted.
absl::StatusOr<Generation> RowGeneration(std::string_view value);
absl::StatusOr<Lsn> RowLsn(std::string_view value);
// Fills lsn, weights and state of `row`, and leaves its key. Errors: a value of another size
// (named).
absl::Status DecodeRow(std::string_view value, const RowLayout& layout, std::byte* row);

// Bookkeeping that goes along with a file of rows: none of them has an LSN above `lsn`.
inline constexpr std::string_view kRowsLsnName = "rows_lsn";
DiskEntry RowsLsnEntry(Lsn lsn);

std::string MetaKey(std::string_view name);
// First key behind all rows.
std::string MetaBegin();

}  // namespace rowhouse

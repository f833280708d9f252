// Rows and bookkeeping as the disk tier's keys and values.
//
//   row key   := slot:u16be table:u64be key:u64be          a slot is one contiguous range
//   row value := format:u32 generation:u32 lsn:u64 weights:f32[dim] state:f32[state_floats]   (LE)
//   meta key  := 0xff 0xff name                            sorts behind every row
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/types.h"
#include "storage/disk_tier.h"
#include "storage/entry_buffer.h"
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
// The same as a further entry of `out`.
void AppendRow(TableId table, const RowLayout& layout, const std::byte* row, EntryBuffer* out);
// Format and generation of a stored value, to find out whether it is still wanted.
absl::StatusOr<Generation> RowGeneration(std::string_view value);
// Fills lsn, weights and state of `row`, and leaves its key. Errors: a value of another size
// (named).
absl::Status DecodeRow(std::string_view value, const RowLayout& layout, std::byte* row);

// Bookkeeping that goes ahead of a file of rows: none on disk has an LSN above `lsn`.
inline constexpr std::string_view kRowsLsnName = "rows_lsn";
DiskEntry RowsLsnEntry(Lsn lsn);
// What TableRows::Load takes of a stored value: lsn, weights and state. Errors: as DecodeRow.
absl::StatusOr<std::span<const std::byte>> LoadValue(std::string_view value,
                                                     const RowLayout& layout);
size_t LoadValueBytes(const RowLayout& layout);

// A bound behind every row, also such as damage has put into slots that there are not; no slot is
// this high.
inline constexpr uint32_t kSlotEnd = 0xffff;
// The first key that a row of this slot, or a later one, can have.
std::string SlotBegin(uint32_t slot);

std::string MetaKey(std::string_view name);
// First key behind all rows.
std::string MetaBegin();

}  // namespace rowhouse

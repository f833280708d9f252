#include "ps/evictor.h"

#include <algorithm>

#include "common/fingerprint.h"
#include "common/slot_map.h"

namespace rowhouse {
namespace {

constexpr uint64_t kStrideRows = 64;

}  // namespace

void Evictor::Run(uint64_t bytes_wanted, uint64_t rows_max, uint32_t file) {
  uint64_t freed = 0;
  for (uint64_t seen = 0; seen < rows_max && freed < bytes_wanted && !exhausted();) {
    TableRows& table = *tables_->all()[table_];
    row_ = std::min(row_, table.row_number_end());  // rows may have been moved together
    const uint64_t rows_wanted = (bytes_wanted - freed - 1) / table.layout().stride_bytes() + 1;
    const uint64_t next = table.Visit(row_, std::min(rows_wanted, kStrideRows),
                                      [&](std::byte* row) { freed += Look(table, row, file); });
    seen += next - row_;
    fruitless_ += next - row_;
    row_ = next;
    if (row_ >= table.row_number_end()) NextTable();
  }
}

bool Evictor::Compact(uint64_t bytes_wanted, uint64_t rows_max, bool move_dirty) {
  uint64_t freed = 0;
  uint64_t looked = 0;
  for (const auto& table : tables_->all()) {
    if (freed >= bytes_wanted || looked >= rows_max) break;
    const uint64_t held = table->held_bytes();
    if (held == table->compact_bytes()) continue;
    looked += table->Compact(bytes_wanted - freed, rows_max - looked, move_dirty);
    freed += held - table->held_bytes();
  }
  return freed < bytes_wanted && looked >= rows_max;
}

void Evictor::NextTable() {
  table_ = (table_ + 1) % tables_->all().size();
  row_ = 0;
}

uint64_t Evictor::Look(TableRows& table, std::byte* row, uint32_t file) {
  RowHeader& header = RowLayout::Header(row);
  const bool in_file = file != 0 && (header.flags & kRowFileMask) == file << kRowFileShift;
  if ((header.flags & kRowDirty) != 0 || in_file || residency_->IsPinned(header)) return 0;
  fruitless_ = 0;
  if ((header.flags & kRowReferenced) != 0) {
    header.flags &= ~kRowReferenced;
    return 0;
  }
  residency_->MarkIncomplete(SlotOf(Fingerprint(table.id(), header.key)));
  table.Erase(row);
  ++evicted_;
  return table.layout().stride_bytes();
}

bool Evictor::exhausted() const {
  const uint64_t rows = RowsInAll();
  return rows == 0 || fruitless_ >= rows + kStrideRows;  // a stride in which the last one went
}

uint64_t Evictor::RowsInAll() const {
  uint64_t rows = 0;
  for (const auto& table : tables_->all()) rows += table->row_number_end();
  return rows;
}

}  // namespace rowhouse

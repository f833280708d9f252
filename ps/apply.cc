#include "ps/apply.h"

#include <algorithm>
#include <array>

namespace rowhouse {
namespace {

// Rows looked up, stamped and updated together: 64 rows of dim 64 are 34 KB, about the first-level
// cache, so the stamp and the update find what the look-up brought.
constexpr size_t kChunkRows = 64;

// Marks the rows as changed by `lsn`; those that have it already become null. Returns how many were
// not dirty before.
uint32_t StampRows(std::span<std::byte*> rows, Generation generation, Lsn lsn) {
  uint32_t newly_dirty = 0;
  for (std::byte*& row : rows) {
    RowHeader& header = RowLayout::Header(row);
    if (header.lsn >= lsn) {
      row = nullptr;
      continue;
    }
    header.lsn = lsn;
    header.generation = generation;
    newly_dirty += (header.flags & kRowDirty) == 0;
    header.flags |= kRowDirty | kRowReferenced;
  }
  return newly_dirty;
}

}  // namespace

void ApplySection(TableRows& table, const PushSection& section, float effective_learning_rate,
                  Lsn lsn, AdagradKernel kernel) {
  const AdagradStep step = MakeAdagradStep(table.spec().adagrad, effective_learning_rate);
  std::array<std::byte*, kChunkRows> buffer;
  for (size_t begin = 0; begin < section.keys.size(); begin += kChunkRows) {
    const size_t count = std::min(kChunkRows, section.keys.size() - begin);
    const std::span<std::byte*> rows(buffer.data(), count);
    table.FindOrCreate(section.keys.subspan(begin, count), rows);
    table.CountDirty(StampRows(rows, table.generation(), lsn));
    kernel(step, table.layout(), rows, section.gradients.data() + begin * table.layout().dim());
  }
}

}  // namespace rowhouse

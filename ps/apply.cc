#include "ps/apply.h"

namespace rowhouse {
namespace {

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
  const uint32_t dim = table.layout().dim();
  table.FindOrCreateInPieces(section.keys, [&](size_t first, std::span<std::byte*> rows) {
    table.CountDirty(StampRows(rows, table.generation(), lsn));
    kernel(step, table.layout(), rows, section.gradients.data() + first * dim);
  });
}

}  // namespace rowhouse

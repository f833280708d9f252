#include "tests/simulation/shard_rows.h"

#include <limits>

namespace rowhouse {
namespace {

OracleRow CopyRow(const TableRows& table, const std::byte* row) {
  const RowLayout& layout = table.layout();
  const float* const weights = RowLayout::Weights(row);
  const float* const state = layout.State(row);
  return {RowLayout::Header(row).lsn,
          {weights, weights + layout.dim()},
          {state, state + layout.state_floats()}};
}

}  // namespace

void AddRowsInMemory(const Shard& shard, Rows* rows) {
  for (const auto& table : shard.tables().all()) {
    table->Visit(0, std::numeric_limits<uint64_t>::max(), [&](std::byte* row) {
      (*rows)[{table->id(), RowLayout::Header(row).key}] = CopyRow(*table, row);
    });
  }
}

}  // namespace rowhouse

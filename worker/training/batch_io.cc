#include "worker/training/batch_io.h"

#include "glog/logging.h"

namespace rowhouse {

std::vector<PullPart> PullPartsOf(const std::vector<Table>& tables, Batch& batch) {
  CHECK_EQ(tables.size(), batch.tables.size());
  std::vector<PullPart> parts;
  for (size_t t = 0; t < tables.size(); ++t) {
    parts.push_back({tables[t], batch.tables[t].keys, batch.tables[t].rows});
  }
  return parts;
}

std::vector<PushPart> PushPartsOf(const std::vector<Table>& tables, const Batch& batch) {
  CHECK_EQ(tables.size(), batch.tables.size());
  std::vector<PushPart> parts;
  for (size_t t = 0; t < tables.size(); ++t) {
    parts.push_back({tables[t], batch.tables[t].keys, batch.tables[t].gradients});
  }
  return parts;
}

uint64_t RowCountOf(const Batch& batch) {
  uint64_t rows = 0;
  for (const TableBatch& table : batch.tables) rows += table.keys.size();
  return rows;
}

}  // namespace rowhouse

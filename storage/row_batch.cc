#include "storage/row_batch.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "storage/row_codec.h"

namespace rowhouse {
namespace {

constexpr size_t kBatchBytes = size_t{256} << 10;

// One table's open batch.
class Batcher {
 public:
  explicit Batcher(const StoredTable& table)
      : table_(table),
        row_bytes_(LoadValueBytes(table.layout)),
        rows_max_(std::max<size_t>(1, kBatchBytes / row_bytes_)) {}

  const StoredTable& table() const { return table_; }
  bool full() const { return batch_.keys.size() >= rows_max_; }
  bool empty() const { return batch_.keys.empty(); }

  absl::Status Add(Key key, std::string_view value) {
    if (batch_.keys.capacity() == 0) {
      batch_.keys.reserve(rows_max_);
      batch_.values.reserve(rows_max_ * row_bytes_);
    }
    ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, LoadValue(value, table_.layout));
    batch_.keys.push_back(key);
    batch_.values.insert(batch_.values.end(), bytes.begin(), bytes.end());
    Lsn lsn;
    std::memcpy(static_cast<void*>(&lsn), bytes.data(), sizeof(lsn));
    batch_.highest_lsn = std::max(batch_.highest_lsn, lsn);
    return absl::OkStatus();
  }

  RowBatch Take(uint32_t from_slot) {
    batch_.table = table_.id;
    batch_.from_slot = from_slot;
    return std::exchange(batch_, {});
  }

 private:
  const StoredTable table_;
  const size_t row_bytes_;
  const size_t rows_max_;
  RowBatch batch_;
};

// Tables are few, and rows of one come in runs.
Batcher* BatcherOf(std::vector<Batcher>& batchers, Batcher* last, TableId table) {
  if (last != nullptr && last->table().id == table) return last;
  for (Batcher& batcher : batchers) {
    if (batcher.table().id == table) return &batcher;
  }
  return nullptr;
}

}  // namespace

absl::Status ScanRows(const DiskTier& disk, SlotRange slots, std::span<const StoredTable> tables,
                      const std::function<absl::Status(RowBatch batch)>& take) {
  std::vector<Batcher> batchers(tables.begin(), tables.end());
  Batcher* batcher = nullptr;
  const auto visit = [&](std::string_view disk_key, std::string_view value) -> absl::Status {
    ASSIGN_OR_RETURN(const RowKey key, DecodeRowKey(disk_key));
    ASSIGN_OR_RETURN(const Generation generation, RowGeneration(value));
    batcher = BatcherOf(batchers, batcher, key.table);
    if (batcher == nullptr || batcher->table().generation != generation) return absl::OkStatus();
    RETURN_IF_ERROR(batcher->Add(key.key, value));
    return batcher->full() ? take(batcher->Take(slots.first)) : absl::OkStatus();
  };
  RETURN_IF_ERROR(disk.Scan(SlotBegin(slots.first), SlotBegin(slots.end), visit));
  for (Batcher& open : batchers) {
    if (!open.empty()) RETURN_IF_ERROR(take(open.Take(slots.first)));
  }
  return absl::OkStatus();
}

}  // namespace rowhouse

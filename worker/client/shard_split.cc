#include "worker/client/shard_split.h"

#include <algorithm>
#include <bit>

#include "common/fingerprint.h"

namespace rowhouse {
namespace {

// What the first pass over the keys finds.
struct Distinct {
  std::vector<uint32_t> first_rows;  // of every distinct key, in order of appearance
  std::vector<uint16_t> shards;      // of every distinct key
  std::vector<uint32_t> counts;      // [shard_count]: distinct keys
  std::vector<uint32_t> next_rows;   // as in KeySplit
};
static_assert(kShardCountMax <= 0x10000);

// Chains the rows of keys that occur more than once; allocates only when it meets the first.
class RowChains {
 public:
  explicit RowChains(size_t row_count) : row_count_(row_count) {}

  void Append(uint32_t first_row, uint32_t row) {
    if (next_.empty()) {
      next_.assign(row_count_, kNoRow);
      last_.assign(row_count_, kNoRow);
    }
    const uint32_t tail = last_[first_row] == kNoRow ? first_row : last_[first_row];
    next_[tail] = row;
    last_[first_row] = row;
  }
  std::vector<uint32_t> TakeNext() { return std::move(next_); }

 private:
  size_t row_count_;
  std::vector<uint32_t> next_;
  std::vector<uint32_t> last_;  // of the chain that begins in a row
};

Distinct FindDistinct(TableId table, std::span<const Key> keys, const SlotMap& slots) {
  Distinct out;
  out.first_rows.reserve(keys.size());
  out.shards.reserve(keys.size());
  out.counts.assign(slots.shard_count(), 0);
  RowChains chains(keys.size());
  // Open addressing over row numbers, at most half full.
  const size_t mask = std::bit_ceil(2 * keys.size() + 2) - 1;
  std::vector<uint32_t> index(mask + 1, kNoRow);
  for (uint32_t row = 0; row < keys.size(); ++row) {
    const uint64_t fingerprint = Fingerprint(table, keys[row]);
    size_t at = fingerprint & mask;
    while (index[at] != kNoRow && keys[index[at]] != keys[row]) at = (at + 1) & mask;
    if (index[at] != kNoRow) {
      chains.Append(index[at], row);
      continue;
    }
    index[at] = row;
    const uint32_t shard = slots.ShardOfSlot(SlotOf(fingerprint)).value();
    out.first_rows.push_back(row);
    out.shards.push_back(static_cast<uint16_t>(shard));
    ++out.counts[shard];
  }
  out.next_rows = chains.TakeNext();
  return out;
}

// Counting sort of the distinct keys by shard; stable, so order of appearance is kept.
void GroupByShard(std::span<const Key> keys, const Distinct& distinct, KeySplit* split) {
  const size_t n = distinct.first_rows.size();
  split->key_storage = std::make_unique_for_overwrite<Key[]>(n);
  split->row_storage = std::make_unique_for_overwrite<uint32_t[]>(n);
  std::vector<uint32_t> ends(distinct.counts.size());
  uint32_t begin = 0;
  for (uint32_t shard = 0; shard < distinct.counts.size(); ++shard) {
    const uint32_t count = distinct.counts[shard];
    ends[shard] = begin;
    if (count == 0) continue;
    split->shards.push_back({ShardId(shard),
                             {split->key_storage.get() + begin, count},
                             {split->row_storage.get() + begin, count}});
    begin += count;
  }
  for (size_t i = 0; i < n; ++i) {
    const uint32_t at = ends[distinct.shards[i]]++;
    split->key_storage[at] = keys[distinct.first_rows[i]];
    split->row_storage[at] = distinct.first_rows[i];
  }
}

}  // namespace

KeySplit SplitKeys(TableId table, std::span<const Key> keys, const SlotMap& slots) {
  KeySplit split;
  if (keys.empty()) return split;
  Distinct distinct = FindDistinct(table, keys, slots);
  split.next_rows = std::move(distinct.next_rows);
  const uint32_t first_shard = distinct.shards[0];
  if (split.unique() && distinct.counts[first_shard] == keys.size()) {
    split.shards.push_back({ShardId(first_shard), keys, {}});
    return split;
  }
  GroupByShard(keys, distinct, &split);
  return split;
}

}  // namespace rowhouse

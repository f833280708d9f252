// Splits the keys of one table by shard and finds those that occur more than once.
//
// Threading: plain values; a split points into the keys that it was made of.
// Cost: O(n); two passes over the keys, one where they are unique and all on one shard.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/slot_map.h"
#include "common/types.h"

namespace rowhouse {

inline constexpr uint32_t kNoRow = 0xffffffffu;
// Rows are counted in 32 bits; one value is kNoRow.
inline constexpr uint64_t kSplitKeysMax = 1u << 31;

// The keys of one shard: unique, in order of their first appearance.
struct ShardKeys {
  ShardId shard;
  std::span<const Key> keys;             // [n]
  std::span<const uint32_t> first_rows;  // [n]: where each key first stands in the caller's arrays;
                                         // empty: key i stands in row i

  uint32_t first_row(size_t i) const {
    return first_rows.empty() ? static_cast<uint32_t>(i) : first_rows[i];
  }
};

struct KeySplit {
  std::vector<ShardKeys> shards;    // those that have a key, ascending
  std::vector<uint32_t> next_rows;  // [keys]: the next row of the same key, or kNoRow;
                                    // empty: every key is there once

  bool unique() const { return next_rows.empty(); }
  uint32_t next_row(uint32_t row) const { return unique() ? kNoRow : next_rows[row]; }
  // Whether the shard's rows lie in the caller's arrays just as they go on the wire.
  bool direct(const ShardKeys& part) const { return unique() && part.first_rows.empty(); }

  std::unique_ptr<Key[]> key_storage;
  std::unique_ptr<uint32_t[]> row_storage;
};

// REQUIRES: keys.size() <= kSplitKeysMax; `keys` outlives the split.
KeySplit SplitKeys(TableId table, std::span<const Key> keys, const SlotMap& slots);

}  // namespace rowhouse

// Which shard owns which slot.
//
// The fixed rule of a cluster that was never resharded: shard s of n owns one contiguous range of
// slots, and ranges differ by at most one slot.
//
// Threading: immutable after construction.
#pragma once

#include <cstdint>

#include "common/fingerprint.h"
#include "common/types.h"

namespace rowhouse {

inline constexpr uint32_t kSlotBits = 14;
inline constexpr uint32_t kSlotCount = 1u << kSlotBits;
inline constexpr uint32_t kShardCountMax = 4096;

constexpr SlotId SlotOf(uint64_t fingerprint) {
  return SlotId(static_cast<uint16_t>(fingerprint >> (64 - kSlotBits)));
}

class SlotMap {
 public:
  // REQUIRES: 1 <= shard_count <= kShardCountMax.
  explicit constexpr SlotMap(uint32_t shard_count, Epoch epoch = Epoch(1))
      : shard_count_(shard_count), epoch_(epoch) {}

  constexpr ShardId ShardOfSlot(SlotId slot) const {
    return ShardId((static_cast<uint32_t>(slot.value()) * shard_count_) >> kSlotBits);
  }
  constexpr ShardId ShardOf(TableId table, Key key) const {
    return ShardOfSlot(SlotOf(Fingerprint(table, key)));
  }
  constexpr uint32_t shard_count() const { return shard_count_; }
  constexpr Epoch epoch() const { return epoch_; }

 private:
  uint32_t shard_count_;
  Epoch epoch_;
};

}  // namespace rowhouse

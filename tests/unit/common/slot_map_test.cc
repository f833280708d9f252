#include "common/slot_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "common/table_spec.h"

namespace rowhouse {
namespace {

std::vector<uint32_t> SlotsPerShard(uint32_t shard_count) {
  const SlotMap map(shard_count);
  std::vector<uint32_t> slots(shard_count);
  uint32_t last = 0;
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    const uint32_t shard = map.ShardOfSlot(SlotId(static_cast<uint16_t>(slot))).value();
    EXPECT_TRUE(shard == last || shard == last + 1) << "slot " << slot << " of " << shard_count;
    last = shard;
    ++slots.at(shard);
  }
  return slots;
}

TEST(SlotMap, ShardsOwnContiguousRangesThatDifferByAtMostOneSlot) {
  std::vector<uint32_t> counts = {kShardCountMax};
  for (uint32_t n = 1; n <= 64; ++n) counts.push_back(n);
  for (const uint32_t n : counts) {
    const std::vector<uint32_t> slots = SlotsPerShard(n);
    const auto [low, high] = std::minmax_element(slots.begin(), slots.end());
    EXPECT_LE(*high - *low, 1u) << n;
  }
}

TEST(SlotMap, KeysFollowTheirSlots) {
  const SlotMap map(5, Epoch(7));
  EXPECT_EQ(map.epoch(), Epoch(7));
  for (uint64_t key = 0; key < 1000; ++key) {
    const SlotId slot = SlotOf(Fingerprint(TableId(3), Key(key)));
    EXPECT_EQ(map.ShardOf(TableId(3), Key(key)), map.ShardOfSlot(slot));
  }
}

TEST(Fingerprint, NeighbouringKeysSpreadOverAllShards) {
  const SlotMap map(8);
  std::vector<uint32_t> keys(8);
  for (uint64_t key = 0; key < 8000; ++key) ++keys[map.ShardOf(TableId(1), Key(key)).value()];
  for (const uint32_t count : keys) EXPECT_NEAR(count, 1000, 150);
}

TEST(Fingerprint, TablesPlaceTheirKeysApart) {
  const SlotMap map(64);
  uint32_t same = 0;
  for (uint64_t key = 0; key < 1000; ++key) {
    same += map.ShardOf(TableIdOf("user"), Key(key)) == map.ShardOf(TableIdOf("item"), Key(key));
  }
  EXPECT_LT(same, 50u);
}

// Fingerprints and slots are the disk format's row order: they never change.
TEST(Fingerprint, IsPinned) {
  struct Golden {
    uint64_t table, key, fingerprint;
    uint16_t slot;
  };
  constexpr Golden kGolden[] = {
      {0, 0, 0xe220a8397b1dcdaf, 14472},
      {0, 1, 0x910a2dec89025cc1, 9282},
      {1, 0, 0xe4d971771b652c20, 14646},
      {0x0123456789abcdef, 42, 0xc315ed3c7c4f3f43, 12485},
      {~0ull, ~0ull, 0x336503c6b835bec0, 3289},
      {0x8000000000000000, ~0ull, 0x2a67d7552e039ea7, 2713},
  };
  for (const Golden& golden : kGolden) {
    const uint64_t fingerprint = Fingerprint(TableId(golden.table), Key(golden.key));
    EXPECT_EQ(fingerprint, golden.fingerprint);
    EXPECT_EQ(SlotOf(fingerprint), SlotId(golden.slot));
  }
}

TEST(SlotMap, IsPinned) {
  const auto shards = [](uint16_t slot) {
    std::vector<uint32_t> out;
    for (const uint32_t n : {1, 2, 3, 5, 64}) {
      out.push_back(SlotMap(n).ShardOfSlot(SlotId(slot)).value());
    }
    return out;
  };
  EXPECT_EQ(shards(14472), (std::vector<uint32_t>{0, 1, 2, 4, 56}));
  EXPECT_EQ(shards(9282), (std::vector<uint32_t>{0, 1, 1, 2, 36}));
  EXPECT_EQ(shards(3289), (std::vector<uint32_t>{0, 0, 0, 1, 12}));
  EXPECT_EQ(shards(0), (std::vector<uint32_t>{0, 0, 0, 0, 0}));
  EXPECT_EQ(shards(16383), (std::vector<uint32_t>{0, 1, 2, 4, 63}));
}

}  // namespace
}  // namespace rowhouse

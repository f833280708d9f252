#include "ps/memory_budget.h"

#include <gtest/gtest.h>

namespace rowhouse {
namespace {

TEST(MemoryBudget, NoneMeansNoLimitForAnybody) {
  EXPECT_EQ(DivideMemory(0, 4).disk_cache_bytes, 0u);
  EXPECT_EQ(DivideMemory(0, 4).shard_bytes, 0u);
}

TEST(MemoryBudget, SharesNeverAddUpToMore) {
  for (const uint64_t budget : {1000ull, 1001ull, 1ull << 40}) {
    for (const uint32_t shards : {1u, 3u, 64u}) {
      const MemoryShares shares = DivideMemory(budget, shards);
      EXPECT_LE(shares.disk_cache_bytes + shards * shares.shard_bytes, budget);
      EXPECT_GT(shares.shard_bytes, 0u);
    }
  }
}

TEST(MemoryBudget, OneThatIsTooSmallForItsShardsIsALimitAllTheSame) {
  EXPECT_EQ(DivideMemory(3, 64).shard_bytes, 1u);
}

}  // namespace
}  // namespace rowhouse

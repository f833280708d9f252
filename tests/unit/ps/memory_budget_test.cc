#include "ps/memory_budget.h"

#include <gtest/gtest.h>

namespace rowhouse {
namespace {

TEST(MemoryBudget, NoneMeansNoLimitForAnyShard) { EXPECT_EQ(ShardBudget(0, 4), 0u); }

TEST(MemoryBudget, PartsNeverAddUpToMore) {
  for (const uint64_t budget : {1000ull, 1001ull, 1ull << 40}) {
    for (const uint32_t shards : {1u, 3u, 64u}) {
      EXPECT_LE(shards * ShardBudget(budget, shards), budget);
      EXPECT_GT((shards + 1) * ShardBudget(budget, shards), budget - shards);
    }
  }
}

TEST(MemoryBudget, OneThatIsTooSmallForItsShardsIsALimitAllTheSame) {
  EXPECT_EQ(ShardBudget(3, 64), 1u);
}

}  // namespace
}  // namespace rowhouse

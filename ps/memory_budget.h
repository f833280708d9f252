// How a server's memory budget is divided.
//
//   budget := disk cache (an eighth, shared by all shards) + shards equal parts
//   part   := rows in slabs + their index + copies for a flush (a sixteenth at most) + absent keys
//
// Beyond the budget comes what does not grow with the tables: see docs/operations.md.
#pragma once

#include <cstdint>

namespace rowhouse {

struct MemoryShares {
  uint64_t disk_cache_bytes = 0;  // RocksDB's blocks, indexes and filters
  uint64_t shard_bytes = 0;       // ShardLimits::memory_bytes_max of each shard
};

// All 0, which means no limit, for a budget of 0.
constexpr MemoryShares DivideMemory(uint64_t budget_bytes, uint32_t shards) {
  const uint64_t cache = budget_bytes / 8;
  const uint64_t shard = (budget_bytes - cache) / shards;
  return {cache, budget_bytes > 0 && shard == 0 ? 1 : shard};
}

}  // namespace rowhouse

// How a server's memory budget is divided.
//
//   budget := shards equal parts
//   part   := rows in slabs + their index + copies for a flush (an eighth at most) + absent keys
//             + indexes and filters of the disk tier
//
// Beyond the budget comes what does not grow with the tables: see docs/operations.md.
#pragma once

#include <algorithm>
#include <cstdint>

namespace rowhouse {

// ShardLimits::memory_bytes_max of each shard; 0, which means no limit, for a budget of 0.
constexpr uint64_t ShardBudget(uint64_t budget_bytes, uint32_t shards) {
  return budget_bytes == 0 ? 0 : std::max<uint64_t>(1, budget_bytes / shards);
}

}  // namespace rowhouse

// Everything about a run that is fixed before it begins: sizes, delays and how often what fails.
//
// Threading: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/table_spec.h"
#include "ps/shard_limits.h"
#include "worker/random.h"

namespace rowhouse {

enum class Fault {
  kKill,            // a shard's process ends; what was written stays
  kPowerCut,        // a shard's machine ends; what was not synced may go, whole or in part
  kBlackout,        // that for all shards at once
  kDieInJob,        // a shard dies within a write, a sync, an unlink or an ingest
  kDieAtBoundary,   // a shard dies between two effects
  kCutConnection,   // what is in flight is lost, or comes late, after the client has come back
  kCrashClient,     // a client's process ends and starts again under the same id
  kTwinClient,      // a second process starts under the same id while the first lives
  kFullDisk,        // for a while
  kTornAppends,     // for a while
  kFailingSyncs,    // for a while
  kFailingIngests,  // for a while
  kFailingReads,    // of rows, for a while
  kSlowJobs,        // for a while
};
inline constexpr size_t kFaultCount = 14;
std::string_view FaultName(Fault fault);

struct Plan {
  uint32_t shard_count = 2;
  uint32_t client_count = 2;
  uint32_t calls_per_client = 30;
  uint32_t calls_in_flight_max = 4;
  std::vector<TableSpec> tables;
  uint32_t keys_per_table = 20;
  uint32_t keys_per_part_max = 5;
  uint32_t pulls_in_100 = 40;

  ShardLimits limits;
  uint64_t segment_bytes = 1000;
  uint64_t retry_us = 10'000;
  uint64_t lull_us = 10'000;

  uint64_t network_us_max = 2000;
  uint64_t job_us_max = 3000;
  uint64_t pause_us_max = 40'000;  // of a client between two calls
  uint64_t request_timeout_us = 0;

  uint64_t lease_us = 30'000;
  uint64_t checkpoint_gap_us_mean = 0;     // 0: none but the last
  uint64_t checkpoint_leave_after_ms = 0;  // a client that was silent for so long

  std::array<uint32_t, kFaultCount> weights = {};  // how often each fault, relative to the others
  uint64_t fault_gap_us_mean = 50'000;
  uint64_t faults_end_us = 3'000'000;
  uint64_t fault_us_max = 100'000;  // of those that last
};

Plan DrawPlan(Random* random);

}  // namespace rowhouse

#include "tests/simulation/plan.h"

#include <algorithm>

#include "common/text.h"

namespace rowhouse {
namespace {

constexpr std::array<std::string_view, kFaultCount> kNames = {
    "kill",          "power cut",       "blackout",      "die in job", "die at boundary",
    "cut",           "client crash",    "client twin",   "full disk",  "torn appends",
    "failing syncs", "failing ingests", "failing reads", "slow jobs"};

uint64_t Between(Random* random, uint64_t low, uint64_t high) {
  return low + random->Below(high - low + 1);
}

Initializer DrawInitializer(Random* random) {
  switch (random->Below(4)) {
    case 0:
      return Initializer::Zeros();
    case 1:
      return Initializer::Constant(0.25f);
    case 2:
      return Initializer::Uniform(-0.5f, 0.5f);
    default:
      return Initializer::Normal(0, 0.1f);
  }
}

TableSpec DrawTable(Random* random, size_t number) {
  TableSpec spec;
  spec.name = StrCat("table", number);
  spec.dim = static_cast<uint32_t>(Between(random, 1, 4));
  spec.seed = random->Next();
  spec.initializer = DrawInitializer(random);
  spec.adagrad.lr = 0.1;
  spec.adagrad.lr_decay = random->Below(2) == 0 ? 0 : 0.01;
  spec.adagrad.weight_decay = random->Below(3) == 0 ? 0.001 : 0;
  spec.adagrad.initial_accumulator_value = random->Below(2) == 0 ? 0 : 0.1;
  spec.durability = static_cast<Durability>(random->Below(3));
  return spec;
}

void DrawLimits(Random* random, Plan* plan) {
  ShardLimits& limits = plan->limits;
  limits.flush_log_bytes = Between(random, 300, 6000);
  limits.flush_log_ratio = static_cast<uint32_t>(random->Below(3));
  limits.flush_step_rows = static_cast<uint32_t>(Between(random, 1, 10));
  limits.flush_file_rows = static_cast<uint32_t>(Between(random, 1, 12));
  limits.log_buffer_bytes_max = random->Below(3) == 0 ? 1000 : 100'000;
  limits.checkpoint_timeout_ms = 500;
  if (random->Below(2) == 0) limits.memory_bytes_max = Between(random, 500, 12'000);
  limits.read_jobs_max = static_cast<uint32_t>(Between(random, 1, 4));
  limits.read_job_keys = static_cast<uint32_t>(Between(random, 1, 8));
  limits.evict_step_rows = static_cast<uint32_t>(Between(random, 1, 20));
  plan->segment_bytes = Between(random, 200, 4000);
}

// Most runs see a few kinds of faults often rather than all of them seldom.
void DrawFaults(Random* random, Plan* plan) {
  for (uint32_t& weight : plan->weights) {
    weight = random->Below(2) == 0 ? 0 : static_cast<uint32_t>(Between(random, 1, 10));
  }
  plan->fault_gap_us_mean = Between(random, 10'000, 150'000);
  plan->fault_us_max = Between(random, 10'000, 200'000);
}

}  // namespace

std::string_view FaultName(Fault fault) { return kNames[static_cast<size_t>(fault)]; }

Plan DrawPlan(Random* random) {
  Plan plan;
  plan.shard_count = static_cast<uint32_t>(Between(random, 1, 3));
  plan.client_count = static_cast<uint32_t>(Between(random, 1, 3));
  plan.calls_per_client = static_cast<uint32_t>(Between(random, 10, 120));
  plan.calls_in_flight_max = static_cast<uint32_t>(Between(random, 1, 6));
  const size_t tables = Between(random, 1, 3);
  for (size_t i = 0; i < tables; ++i) plan.tables.push_back(DrawTable(random, i));
  plan.keys_per_table = static_cast<uint32_t>(Between(random, 2, 40));
  plan.keys_per_part_max = static_cast<uint32_t>(Between(random, 1, 8));
  plan.pulls_in_100 = static_cast<uint32_t>(Between(random, 10, 60));
  DrawLimits(random, &plan);
  plan.network_us_max = Between(random, 100, 10'000);
  plan.job_us_max = Between(random, 100, 10'000);
  plan.pause_us_max = Between(random, 1'000, 60'000);
  if (random->Below(4) == 0) plan.request_timeout_us = Between(random, 50'000, 300'000);
  plan.lease_us = Between(random, 10'000, 60'000);
  if (random->Below(4) != 0) plan.checkpoint_gap_us_mean = Between(random, 50'000, 600'000);
  plan.checkpoint_leave_after_ms = Between(random, 100, 300);
  DrawFaults(random, &plan);
  if (random->Below(2) == 0) plan.limits.flush_lull_ms = 0;
  plan.lull_us = Between(random, 1'000, 50'000);
  plan.limits.log_delay_ms = static_cast<uint32_t>(random->Below(2) * Between(random, 1, 30));
  return plan;
}

}  // namespace rowhouse

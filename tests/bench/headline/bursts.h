// Pulls, and pushes in bursts of a few seconds, beside the limit, the bare work, Redis, RocksDB and
// PyTorch: all at the headline's point.
//
// Figures: pull_over_bare, push_memory_over_bare, pull_over_limit, push_memory_over_limit,
//   push_log_over_memory, pull_over_redis, push_log_over_rocksdb, push_log_over_torch,
//   unix_over_tcp.
#pragma once

#include "absl/status/status.h"
#include "tests/bench/headline/figure.h"
#include "tests/bench/headline/stage.h"

namespace rowhouse {

absl::Status MeasureBursts(const HeadlineOptions& options, const CpuSplit& cpus,
                           const BatchPlan& plan, const Sticks& sticks, Headline* headline);

}  // namespace rowhouse

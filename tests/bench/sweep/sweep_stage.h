// Measures the points of one stage: on one server with filled tables, beside the measuring sticks.
//
// Threading: one thread, and those of the clients.
#pragma once

#include "absl/status/status.h"
#include "tests/bench/bench_program.h"
#include "tests/bench/sweep/sweep_options.h"
#include "tests/bench/sweep/sweep_point.h"
#include "tests/bench/sweep/sweep_result.h"
#include "tests/bench/sweep/sweep_schedule.h"

namespace rowhouse {

// A stage for which the machine's memory does not suffice is skipped, and the result says so.
// REQUIRES: this process has no other thread.
absl::Status MeasureSweepStage(const SweepOptions& options, const CpuSplit& cpus,
                               const SweepStage& stage, SweepSchedule* schedule,
                               SweepResult* result);

}  // namespace rowhouse

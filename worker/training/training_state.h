// What a training job writes into the checkpoints that it makes: where it is, and what a run that
// goes on from there must have in common with it.
//
//   {"rowhouse_training": 1, "epoch": 3, "step": 940, "data_offset": 10240,
//    "job": {"examples": 80000, "data_xxh3": "0123456789abcdef", "batch_rows": 256, "seed": 1,
//            "world": 1},
//    "run": {"checkpoint_every_steps": 1000, "prefetch_steps": 1}}
//
// Threading: plain values and free functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "worker/data/ratings.h"
#include "worker/training/trainer.h"

namespace rowhouse {

// What decides which examples step n trains on.
struct JobIdentity {
  uint64_t examples = 0;
  uint64_t data_checksum = 0;
  uint32_t batch_rows = 0;
  uint64_t seed = 0;
  uint32_t world = 1;
};

// How a run goes about it. Another run may go on from its checkpoints under other values, with
// every step applied once, but not to the same bits: which pushes a pull sees hangs on them.
struct RunShape {
  uint64_t checkpoint_every_steps = 0;  // 0: no checkpoints by steps
  uint32_t prefetch_steps = 0;
};

JobIdentity IdentityOf(std::span<const Rating> ratings, const ScheduleOptions& schedule);

std::string EncodeTrainingState(const JobIdentity& job, const RunShape& run,
                                const TrainingProgress& progress);

// Whether `job` can go on from what a checkpoint says. Text that is not a training job's says
// nothing against it. Errors: failed precondition, naming what differs with both values.
absl::Status CheckSameJob(std::string_view user_data, const JobIdentity& job);

// Why `run` will not end with the bits of the run that made the checkpoint, where that follows from
// how the two go about it; else empty. Only checkpoints by steps promise bits.
std::string WhatChangesBits(std::string_view user_data, const RunShape& run);

}  // namespace rowhouse

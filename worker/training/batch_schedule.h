// Which examples each step of a worker trains on: a function of seed, epoch, rank and world alone,
// so that a run can be repeated and an epoch started again.
//
// Each epoch has its own order of all examples, the same for all workers; worker `rank` of `world`
// takes every world-th example of it and cuts its share into batches. Steps count from 1, across
// epochs: step = epoch * steps_per_epoch + i + 1.
//
// Threading: none; one per worker.
// Cost: one order in memory: 4 bytes an example, made when the first step of its epoch is asked
// for.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace rowhouse {

struct ScheduleOptions {
  uint32_t batch_rows = 256;
  uint64_t seed = 1;
  uint32_t rank = 0;
  uint32_t world = 1;
};

class BatchSchedule {
 public:
  // REQUIRES: batch_rows > 0, rank < world, and a share that is not empty: rank < example_count.
  BatchSchedule(uint32_t example_count, const ScheduleOptions& options);

  uint64_t steps_per_epoch() const {
    return (share_ + options_.batch_rows - 1) / options_.batch_rows;
  }
  // Examples of this worker in each epoch.
  uint64_t share() const { return share_; }
  uint64_t FirstStepOf(uint32_t epoch) const { return epoch * steps_per_epoch() + 1; }
  // Examples of this worker in the steps before this one, across epochs.
  uint64_t ExamplesBefore(uint64_t step) const;

  // Valid until the next call. Cheap when steps are asked for in order.
  std::span<const uint32_t> ExamplesOf(uint64_t step);

 private:
  void Shuffle(uint64_t epoch);

  const ScheduleOptions options_;
  const uint32_t example_count_;
  const uint64_t share_;
  uint64_t epoch_ = UINT64_MAX;  // the one that order_ is of
  std::vector<uint32_t> order_;  // [share_]
};

}  // namespace rowhouse

#include "worker/training/batch_schedule.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "glog/logging.h"
#include "worker/random.h"

namespace rowhouse {

BatchSchedule::BatchSchedule(uint32_t example_count, const ScheduleOptions& options)
    : options_(options),
      example_count_(example_count),
      share_((uint64_t{example_count} + options.world - 1 - options.rank) / options.world) {
  CHECK_GT(options.batch_rows, 0u);
  CHECK_LT(options.rank, options.world);
  CHECK_LT(options.rank, example_count);
}

uint64_t BatchSchedule::ExamplesBefore(uint64_t step) const {
  const uint64_t epochs = (step - 1) / steps_per_epoch();
  const uint64_t steps = (step - 1) % steps_per_epoch();
  return epochs * share_ + steps * options_.batch_rows;
}

std::span<const uint32_t> BatchSchedule::ExamplesOf(uint64_t step) {
  CHECK_GT(step, 0u);
  const uint64_t epoch = (step - 1) / steps_per_epoch();
  if (epoch != epoch_) Shuffle(epoch);
  const uint64_t begin = (step - 1) % steps_per_epoch() * options_.batch_rows;
  const uint64_t count = std::min<uint64_t>(options_.batch_rows, share_ - begin);
  return std::span(order_).subspan(begin, count);
}

void BatchSchedule::Shuffle(uint64_t epoch) {
  order_.resize(example_count_);
  std::iota(order_.begin(), order_.end(), 0);
  Random random(SplitMix64(options_.seed) ^ epoch);
  for (uint64_t i = order_.size() - 1; i > 0; --i)
    std::swap(order_[i], order_[random.Below(i + 1)]);
  for (uint64_t i = 0; i < share_; ++i) order_[i] = order_[i * options_.world + options_.rank];
  order_.resize(share_);
  epoch_ = epoch;
}

}  // namespace rowhouse

#include "tests/bench/request_sizes.h"

#include "common/wire/data.h"
#include "common/wire/frame.h"

namespace rowhouse {

PlainSizes PullSizes(const BatchPlan& plan) {
  return {FrameBytes(sizeof(PullHeader) + sizeof(SectionHeader) + plan.batch_rows() * sizeof(Key)),
          FrameBytes(sizeof(PullAnswerHeader) + plan.batch_floats() * sizeof(float))};
}

PlainSizes PushSizes(const BatchPlan& plan) {
  return {FrameBytes(sizeof(PushHeader) + sizeof(SectionHeader) + plan.batch_rows() * sizeof(Key) +
                     plan.batch_floats() * sizeof(float)),
          FrameBytes(sizeof(PushAnswer))};
}

}  // namespace rowhouse

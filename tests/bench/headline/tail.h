// The tail of small requests in an open loop at half of what a closed loop reaches, beside raw
// sockets under the same load: pulls of 64 rows, every tenth request a push of 64 rows (`memory`).
//
// Figures: p99_small_pull.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/bench/headline/figure.h"
#include "tests/bench/headline/mixed_stick.h"
#include "tests/bench/headline/stage.h"

namespace rowhouse {

// The stick of this part. REQUIRES: the caller has no other thread yet.
absl::StatusOr<std::unique_ptr<MixedStick>> StartTailStick(const HeadlineOptions& options,
                                                           const CpuSplit& cpus);

absl::Status MeasureTail(const HeadlineOptions& options, const CpuSplit& cpus,
                         const BatchPlan& plan, const MixedStick& stick, Headline* headline);

}  // namespace rowhouse

// The tail of small requests in an open loop at half of what a closed loop reaches, beside raw
// sockets under the same load: pulls of 64 rows, every tenth request a push of 64 rows (`memory`).
//
// Figures: p99_small_pull.
#pragma once

#include "absl/status/status.h"
#include "tests/bench/headline/figure.h"
#include "tests/bench/headline/stage.h"

namespace rowhouse {

absl::Status MeasureTail(const HeadlineOptions& options, const CpuSplit& cpus,
                         const BatchPlan& plan, Headline* headline);

}  // namespace rowhouse

// Two clients that push with `fsync`, and as long with `log`, each to a server of its own.
//
// Figures: push_fsync_over_log.
#pragma once

#include "absl/status/status.h"
#include "tests/bench/headline/figure.h"
#include "tests/bench/headline/stage.h"

namespace rowhouse {

absl::Status MeasureFsync(const HeadlineOptions& options, const CpuSplit& cpus,
                          const BatchPlan& plan, Headline* headline);

}  // namespace rowhouse

// What a server with tables and a connected client costs while nobody asks it for anything.
//
// Figures: idle_cpu.
#pragma once

#include "absl/status/status.h"
#include "tests/bench/headline/figure.h"
#include "tests/bench/headline/stage.h"

namespace rowhouse {

absl::Status MeasureIdle(const HeadlineOptions& options, const CpuSplit& cpus,
                         const BatchPlan& plan, Headline* headline);

}  // namespace rowhouse

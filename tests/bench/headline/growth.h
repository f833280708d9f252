// The longest request while a table grows from nothing: what a growing index or a new slab costs
// the one who waits for it. Less the longest delay of idle threads, one on the server's processors
// and one on the client's, which wake every millisecond: what the machine itself holds up.
//
// Figures: stall_growth_ms.
#pragma once

#include "absl/status/status.h"
#include "tests/bench/headline/figure.h"
#include "tests/bench/headline/stage.h"

namespace rowhouse {

absl::Status MeasureGrowth(const HeadlineOptions& options, const CpuSplit& cpus,
                           const BatchPlan& plan, Headline* headline);

}  // namespace rowhouse

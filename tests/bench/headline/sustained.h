// Pushes (`log`) for so long that flushes, merges and the log's clean-up are all part of it, beside
// plain appends to the same disk.
//
// Figures: push_log_sustained. Rates: files of the data directory and pushes that no flush has
//   covered, in the first half and in the second, which tell whether anything piles up.
#pragma once

#include "absl/status/status.h"
#include "tests/bench/headline/figure.h"
#include "tests/bench/headline/stage.h"

namespace rowhouse {

absl::Status MeasureSustained(const HeadlineOptions& options, const CpuSplit& cpus,
                              const BatchPlan& plan, Headline* headline);

}  // namespace rowhouse

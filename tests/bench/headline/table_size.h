// Pulls and pushes of uniform keys in a large table and in one of the usual size, both of dim 16
// and held by one server.
//
// Figures: rows_50m_over_2m.
#pragma once

#include "absl/status/status.h"
#include "tests/bench/headline/figure.h"
#include "tests/bench/headline/stage.h"

namespace rowhouse {

absl::Status MeasureTableSize(const HeadlineOptions& options, const CpuSplit& cpus,
                              const BatchPlan& plan, Headline* headline);

}  // namespace rowhouse

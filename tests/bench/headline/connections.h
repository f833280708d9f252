// Pulls over many connections beside the same over two. Two threads drive them; each connection has
// its requests in flight.
//
// Figures: clients_64_over_2.
#pragma once

#include "absl/status/status.h"
#include "tests/bench/headline/figure.h"
#include "tests/bench/headline/stage.h"

namespace rowhouse {

absl::Status MeasureConnections(const HeadlineOptions& options, const CpuSplit& cpus,
                                const BatchPlan& plan, Headline* headline);

}  // namespace rowhouse

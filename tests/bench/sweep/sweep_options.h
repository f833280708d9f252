// What `rowhouse-bench sweep` can be told.
#pragma once

#include <cstdint>

#include "tests/bench/bench_options.h"

namespace rowhouse {

struct SweepOptions : BenchOptions {
  uint32_t rounds = 5;   // of each point, where there is time
  double seconds = 0.8;  // of a round of one contender
  double minutes = 20;   // for all; what is left is shared out among the points to come
  uint64_t table_rows_max = 50000000;  // the largest of three tables: a 50th, a fifth, and this
};

}  // namespace rowhouse

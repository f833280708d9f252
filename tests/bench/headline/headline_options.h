// What `rowhouse-bench headline` can be told.
#pragma once

#include <cstdint>
#include <string>

#include "common/table_spec.h"
#include "tests/bench/bench_options.h"

namespace rowhouse {

struct HeadlineOptions : BenchOptions {
  uint32_t rounds = 3;
  double seconds = 1;         // of a round of pulls
  double burst_seconds = 2;   // of a round of pushes
  double warm_seconds = 0.3;  // of a round, before them, not measured
  double idle_seconds = 5;
  double sustained_seconds = 120;
  double append_seconds = 15;       // of plain appends, before the sustained pushes and after them
  double fsync_seconds = 60;        // with `fsync`, and as long with `log`
  double tail_seconds = 3;          // of a round of the open loop
  uint32_t connections = 64;        // the many of clients_64_over_2
  uint64_t scale_rows = 50000000;   // the large table of rows_50m_over_2m
  uint64_t growth_rows = 30000000;  // what the table of stall_growth_ms grows to
  double growth_rest_seconds = 10;  // before it grows
  uint32_t shards = 1;
};

inline TableSpec HeadlineTable(const HeadlineOptions& options, std::string name,
                               Durability durability) {
  TableSpec spec;
  spec.name = std::move(name);
  spec.dim = options.dim;
  spec.seed = 1;
  spec.initializer = Initializer::Uniform(-0.1f, 0.1f);
  spec.durability = durability;
  return spec;
}

}  // namespace rowhouse

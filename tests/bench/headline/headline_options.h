// What `rowhouse-bench headline` can be told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/table_spec.h"

namespace rowhouse {

struct HeadlineOptions {
  uint32_t rounds = 5;
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
  uint64_t rows = 2000000;
  uint32_t dim = 64;
  uint32_t batch_rows = 4096;
  uint32_t in_flight = 4;
  uint32_t shards = 1;
  bool pin = true;
  bool peers = true;  // Redis and PyTorch
  std::string server;
  std::string torch_script;
  std::string data_dir;
  std::string commit = "unknown";
  std::string json_file;
  std::vector<std::string> only;  // parts to measure; empty: all
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

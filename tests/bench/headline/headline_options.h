// What `rowhouse-bench headline` can be told.
#pragma once

#include <cstdint>
#include <string>

#include "common/table_spec.h"

namespace rowhouse {

struct HeadlineOptions {
  uint32_t rounds = 5;
  double seconds = 1;        // of a round of pulls
  double burst_seconds = 2;  // of a round of pushes
  double sustained_seconds = 120;
  double fsync_seconds = 60;
  uint64_t rows = 2000000;
  uint32_t dim = 64;
  uint32_t batch_rows = 4096;
  uint32_t in_flight = 4;
  bool pin = true;
  bool peers = true;  // Redis and PyTorch
  std::string server;
  std::string torch_script;
  std::string data_dir;
  std::string commit = "unknown";
  std::string json_file;
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

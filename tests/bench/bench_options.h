// What both the headline and the sweep can be told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/config.h"

namespace rowhouse {

struct BenchOptions {
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
  std::vector<std::string> only;  // parts to measure; empty: all
};

// REQUIRES: `options` outlives `settings`.
void AddBenchSettings(BenchOptions* options, uint32_t batch_rows_min, Settings* settings);

}  // namespace rowhouse

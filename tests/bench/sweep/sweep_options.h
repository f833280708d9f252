// What `rowhouse-bench sweep` can be told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rowhouse {

struct SweepOptions {
  uint32_t rounds = 5;   // of each point, where there is time
  double seconds = 0.8;  // of a round of one contender
  double minutes = 22;   // for all; what is left is shared out among the points to come
  // The point around which each setting is varied alone.
  uint64_t rows = 2000000;
  uint32_t dim = 64;
  uint32_t batch_rows = 4096;
  uint32_t in_flight = 4;
  uint64_t table_rows_max = 50000000;  // the largest of three tables: a 50th, a fifth, and this
  bool pin = true;
  bool peers = true;  // Redis and PyTorch
  std::string server;
  std::string torch_script;
  std::string data_dir;
  std::string commit = "unknown";
  std::string json_file;
  std::vector<std::string> only;  // points to measure; empty: all
};

}  // namespace rowhouse

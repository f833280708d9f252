// The points of the sweep: the settings that one measurement is made with, each differing from the
// headline's point in one of them.
//
// Threading: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/row_model.h"
#include "tests/bench/sweep/sweep_options.h"

namespace rowhouse {

inline constexpr double kSweepZipfExponent = 1.05;

struct SweepPoint {
  std::string name;
  uint32_t batch_rows = 0;
  bool is_zipf = false;  // keys: by Zipf's law, or uniform
  uint32_t clients = 1;  // with a connection each
  uint32_t in_flight = 1;
  bool is_unix = false;    // over a Unix socket, or TCP
  bool has_peers = false;  // beside Redis, RocksDB and PyTorch, too
};

// Points that are measured on the same server and the same tables.
struct SweepStage {
  uint64_t rows = 0;  // whole batches of the options' size
  uint32_t dim = 0;
  uint32_t shards = 1;
  // Only with `memory`, and nothing is flushed: to write the largest tables would take longer than
  // to measure them.
  bool is_memory_only = false;
  std::vector<SweepPoint> points;
};

// The headline's stage comes last, and its own point last in it: some peers start threads in this
// process, after which nothing can be forked.
std::vector<SweepStage> SweepStages(const SweepOptions& options);

// The requests of a point, in batches of unique keys below `stage.rows`: all keys in a random order
// that is not the order in which the table was filled, or drawn by Zipf's law until a batch is
// full. The same on every machine.
BatchPlan SweepRequests(const SweepStage& stage, const SweepPoint& point);

}  // namespace rowhouse

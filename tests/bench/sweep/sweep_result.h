// What a sweep found, as a table for people and as JSON.
//
// Threading: plain values.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/machine.h"
#include "tests/bench/sweep/sweep_point.h"

namespace rowhouse {

// One round of one contender.
struct SweepRound {
  double rows_per_second = 0;
  double server_cpu_seconds = 0;  // for each million rows, with what the server does after them
  double client_cpu_seconds = 0;  // the same, of this process
  double other_cpus = 0;          // processors that other programs kept busy meanwhile
};

struct SweepOperation {
  std::string name;
  std::vector<SweepRound> rounds;
  std::vector<float> latencies_ms;  // of all rounds; empty where nobody measures them
  std::string limit;                // the operations that it is compared with; empty: none
  std::string bare;
};

struct SweepPointResult {
  SweepPoint point;
  uint64_t rows = 0;
  uint32_t dim = 0;
  uint32_t shards = 1;
  std::string answers_hash;
  double resident_bytes_per_row = 0;
  std::vector<SweepOperation> operations;
};

struct SkippedPoint {
  std::string name;
  std::string reason;
};

struct SweepResult {
  MachineFacts machine;
  std::string commit;
  double seconds = 0;  // that all of it took
  std::vector<SweepPointResult> points;
  std::vector<SkippedPoint> skipped;
};

std::string ToText(const SweepResult& result);
boost::json::object ToJson(const SweepResult& result);

}  // namespace rowhouse

// One run: a few shards, a few clients, and everything that can go wrong, as a pure function of a
// seed.
//
//   const RunResult result = Simulate({.seed = 17});
//   result.verdict is the first check that was violated; result.trace the last events before it.
//
// Threading: a run is one thread's; any number of runs side by side.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/simulation/world.h"

namespace rowhouse {

struct RunOptions {
  uint64_t seed = 1;
  size_t trace_lines_max = 60;
  Sabotage sabotage;
};

struct RunResult {
  absl::Status verdict;
  uint64_t digest = 0;  // over all events and the final state
  std::vector<std::string> trace;
  std::map<std::string, uint64_t, std::less<>> counts;
  uint64_t virtual_us = 0;
};

RunResult Simulate(const RunOptions& options);

}  // namespace rowhouse

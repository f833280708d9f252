// The shards' counters, for people and for machines.
//
// Threading: pure functions.
#pragma once

#include <string>
#include <vector>

#include "common/wire/control.h"

namespace rowhouse {

// One line a counter, one column a shard, in the order of `stats`, and a column of sums where there
// are several. Counters stand in the order of their first appearance; a shard without one shows -.
std::vector<std::string> StatsTable(const std::vector<StatsAnswer>& stats);

// {"shards":[{"pulls":1},{"pulls":2}]}
std::string StatsJson(const std::vector<StatsAnswer>& stats);

}  // namespace rowhouse

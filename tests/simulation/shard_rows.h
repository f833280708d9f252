// The rows that a shard holds in memory, as values that can be compared.
//
// Threading: one thread.
#pragma once

#include "ps/shard.h"
#include "tests/simulation/oracle.h"

namespace rowhouse {

// Rows that are there already are replaced.
void AddRowsInMemory(const Shard& shard, Rows* rows);

}  // namespace rowhouse

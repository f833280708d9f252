// Proof that a point computes what it should: fixed pushes to a fresh table, every row compared
// with a plain calculation, and a hash by which two runs or machines can be compared.
//
// Threading: one thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/table_spec.h"
#include "tests/bench/sweep/sweep_load.h"

namespace rowhouse {

// Creates the table of `spec`, pushes to the plan's first batches once each, through all the
// clients in turn, and pulls them. Gives the hash of all rows pulled, 16 hexadecimal digits.
// Errors: names key and column of the first difference.
absl::StatusOr<std::string> CheckSweepAnswers(SweepClients clients, const TableSpec& spec,
                                              const BatchPlan& plan);

}  // namespace rowhouse

// Deterministic initial values: a function of (seed, table, key, column), on every machine the
// same.
//
// Source of the bits: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011), keyed by the table's seed and id, counted by key and column. Floats come from them by
// + - * / and sqrt alone, never libm.
//
// Threading: free functions, no state.
#pragma once

#include <cstdint>
#include <span>

#include "common/table_spec.h"
#include "common/types.h"

namespace rowhouse {

// The initial weights of one row. out: [dim], owned by the caller.
void InitialWeights(const Initializer& initializer, uint64_t seed, TableId table, Key key,
                    std::span<float> out);

}  // namespace rowhouse

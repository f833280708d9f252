// What the bare server does with a request: look up and gather, or look up and update. A request is
// the keys, then for an update the gradients; nothing says how many, its size does.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <memory>

#include "tests/bench/bare_table.h"
#include "tests/bench/raw_peer.h"
#include "tests/bench/row_model.h"

namespace rowhouse {

inline constexpr uint64_t kLimitWork = 0;
inline constexpr uint64_t kBarePullWork = 1;
inline constexpr uint64_t kBarePushWork = 2;
inline constexpr uint64_t kBarePullWholeWork = 3;  // the answer sent at once, not in pieces

// By the numbers above; the table is made here.
std::vector<RawWork> BareWorks(const BatchPlan* plan);

PlainSizes BarePullSizes(const BatchPlan& plan);
PlainSizes BarePushSizes(const BatchPlan& plan);

// Requests for the plan's batches in turn.
FillRequest BarePulls(const BatchPlan* plan);
FillRequest BarePushes(const BatchPlan* plan);

}  // namespace rowhouse

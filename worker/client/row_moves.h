// Rows on their way between the caller's arrays and the wire.
//
// Threading: free functions, no state.
// Cost: each wire row is touched once, each caller row once; no allocation.
#pragma once

#include <cstdint>
#include <span>

#include "worker/client/shard_split.h"

namespace rowhouse {

// Sums the gradients of each key of `part`, in order of appearance: ((g1 + g2) + g3) + ...
// rows: [n, dim], the caller's. out: [part.keys.size(), dim].
void MergeRows(const KeySplit& split, const ShardKeys& part, uint32_t dim,
               std::span<const float> rows, std::span<float> out);

// Copies wire rows to every place where their key stands.
// in: [count, dim], the rows of part.keys[first .. first + count); rows: [n, dim], the caller's.
void ScatterRows(const KeySplit& split, const ShardKeys& part, size_t first, size_t count,
                 uint32_t dim, std::span<const float> in, std::span<float> rows);

}  // namespace rowhouse

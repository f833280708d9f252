#include "worker/client/row_moves.h"

#include <cstring>

namespace rowhouse {
namespace {

void CopyRow(const float* from, float* to, uint32_t dim) {
  std::memcpy(to, from, dim * sizeof(float));
}

void AddRow(const float* from, float* to, uint32_t dim) {
  for (uint32_t i = 0; i < dim; ++i) to[i] += from[i];
}

}  // namespace

void MergeRows(const KeySplit& split, const ShardKeys& part, uint32_t dim,
               std::span<const float> rows, std::span<float> out) {
  for (size_t i = 0; i < part.keys.size(); ++i) {
    float* sum = out.data() + i * dim;
    uint32_t row = part.first_row(i);
    CopyRow(rows.data() + size_t{row} * dim, sum, dim);
    while ((row = split.next_row(row)) != kNoRow) AddRow(rows.data() + size_t{row} * dim, sum, dim);
  }
}

void ScatterRows(const KeySplit& split, const ShardKeys& part, size_t first, size_t count,
                 uint32_t dim, std::span<const float> in, std::span<float> rows) {
  if (split.direct(part)) {
    std::memcpy(rows.data() + first * dim, in.data(), count * dim * sizeof(float));
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    for (uint32_t row = part.first_row(first + i); row != kNoRow; row = split.next_row(row)) {
      CopyRow(in.data() + i * dim, rows.data() + size_t{row} * dim, dim);
    }
  }
}

}  // namespace rowhouse

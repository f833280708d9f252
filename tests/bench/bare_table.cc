#include "tests/bench/bare_table.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "storage/huge_pages.h"
#include "storage/prefetch.h"

namespace rowhouse {
namespace {

constexpr size_t kChunkKeys = 16;
constexpr float kRate = 0.01f;
constexpr float kEps = 1e-10f;

MappedBytes MapWholeHuge(size_t bytes) {
  return MapHuge((bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes);
}

void UpdateScalar(uint32_t begin, uint32_t dim, const float* gradient, float* row) {
  for (uint32_t i = begin; i < dim; ++i) {
    const float g = gradient[i];
    float* const state = row + dim;
    state[i] = state[i] + g * g;
    row[i] = row[i] - (kRate * g) / (std::sqrt(state[i]) + kEps);
  }
}

__attribute__((target("avx512f"))) void UpdateAvx512(uint32_t dim, const float* gradient,
                                                     float* row) {
  const __m512 rate = _mm512_set1_ps(kRate);
  const __m512 eps = _mm512_set1_ps(kEps);
  uint32_t i = 0;
  for (; i + 16 <= dim; i += 16) {
    const __m512 g = _mm512_loadu_ps(gradient + i);
    const __m512 s = _mm512_add_ps(_mm512_loadu_ps(row + dim + i), _mm512_mul_ps(g, g));
    const __m512 step =
        _mm512_div_ps(_mm512_mul_ps(rate, g), _mm512_add_ps(_mm512_sqrt_ps(s), eps));
    _mm512_storeu_ps(row + dim + i, s);
    _mm512_storeu_ps(row + i, _mm512_sub_ps(_mm512_loadu_ps(row + i), step));
  }
  UpdateScalar(i, dim, gradient, row);
}

__attribute__((target("avx2"))) void UpdateAvx2(uint32_t dim, const float* gradient, float* row) {
  const __m256 rate = _mm256_set1_ps(kRate);
  const __m256 eps = _mm256_set1_ps(kEps);
  uint32_t i = 0;
  for (; i + 8 <= dim; i += 8) {
    const __m256 g = _mm256_loadu_ps(gradient + i);
    const __m256 s = _mm256_add_ps(_mm256_loadu_ps(row + dim + i), _mm256_mul_ps(g, g));
    const __m256 step =
        _mm256_div_ps(_mm256_mul_ps(rate, g), _mm256_add_ps(_mm256_sqrt_ps(s), eps));
    _mm256_storeu_ps(row + dim + i, s);
    _mm256_storeu_ps(row + i, _mm256_sub_ps(_mm256_loadu_ps(row + i), step));
  }
  UpdateScalar(i, dim, gradient, row);
}

void UpdatePlain(uint32_t dim, const float* gradient, float* row) {
  UpdateScalar(0, dim, gradient, row);
}

using UpdateRow = void (*)(uint32_t dim, const float* gradient, float* row);

UpdateRow WidestUpdate() {
  if (__builtin_cpu_supports("avx512f")) return UpdateAvx512;
  if (__builtin_cpu_supports("avx2")) return UpdateAvx2;
  return UpdatePlain;
}

ROWHOUSE_PREFETCHES void PrefetchBytes(const void* at, size_t bytes) {
  for (size_t b = 0; b < bytes; b += 64) __builtin_prefetch(static_cast<const char*>(at) + b, 0, 2);
}

}  // namespace

BareTable::BareTable(std::span<const Key> keys, uint32_t dim)
    : dim_(dim),
      row_floats_(size_t{dim} * 2),
      entry_count_(std::bit_ceil(keys.size() * 2)),
      shift_(64 - std::countr_zero(entry_count_)),
      entry_memory_(MapWholeHuge(entry_count_ * sizeof(Entry))),
      row_memory_(MapWholeHuge(keys.size() * row_floats_ * sizeof(float))),
      entries_(reinterpret_cast<Entry*>(entry_memory_.get())),
      rows_(reinterpret_cast<float*>(row_memory_.get())) {
  for (size_t i = 0; i < keys.size(); ++i) {
    size_t at = HomeOf(keys[i]);
    while (entries_[at].used != 0) at = (at + 1) & (entry_count_ - 1);
    entries_[at] = {keys[i].value(), static_cast<uint32_t>(i), 1};
    std::fill_n(rows_ + i * row_floats_, dim_, 0.1f);
  }
}

float* BareTable::RowOf(Key key) const {
  size_t at = HomeOf(key);
  while (entries_[at].key != key.value()) at = (at + 1) & (entry_count_ - 1);
  return rows_ + entries_[at].row * row_floats_;
}

// Three small chunks are under way at a time: the entries of one, the rows of the next, and the one
// whose rows are used.
template <typename Use>
void BareTable::ForEach(std::span<const Key> keys, size_t row_bytes, const Use& use) const {
  std::array<std::array<float*, kChunkKeys>, 2> rows;
  const size_t chunks = (keys.size() + kChunkKeys - 1) / kChunkKeys;
  const auto keys_of = [&](size_t chunk) {
    return keys.subspan(chunk * kChunkKeys, std::min(kChunkKeys, keys.size() - chunk * kChunkKeys));
  };
  for (size_t step = 0; step < chunks + 2; ++step) {
    if (step < chunks) {
      for (const Key key : keys_of(step)) __builtin_prefetch(&entries_[HomeOf(key)], 0, 2);
    }
    if (step >= 1 && step <= chunks) {
      auto row = rows[(step - 1) % 2].begin();
      for (const Key key : keys_of(step - 1)) {
        *row = RowOf(key);
        PrefetchBytes(*row++, row_bytes);
      }
    }
    if (step < 2) continue;
    const size_t first = (step - 2) * kChunkKeys;
    for (size_t i = 0; i < keys_of(step - 2).size(); ++i) use(first + i, rows[step % 2][i]);
  }
}

void BareTable::Gather(std::span<const Key> keys, float* out) const {
  ForEach(keys, dim_ * sizeof(float), [&](size_t i, const float* row) {
    std::memcpy(out + i * dim_, row, dim_ * sizeof(float));
  });
}

void BareTable::Update(std::span<const Key> keys, const float* gradients) {
  const UpdateRow update = WidestUpdate();
  ForEach(keys, row_floats_ * sizeof(float),
          [&](size_t i, float* row) { update(dim_, gradients + i * dim_, row); });
}

}  // namespace rowhouse

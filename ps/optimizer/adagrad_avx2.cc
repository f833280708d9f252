#include <immintrin.h>

#include "ps/optimizer/adagrad_vector.h"

namespace rowhouse {
namespace {

struct Avx2 {
  using Vector = __m256;
  static constexpr uint32_t kLanes = 8;
  static Vector Broadcast(float x) { return _mm256_set1_ps(x); }
  static Vector Load(const float* p) { return _mm256_loadu_ps(p); }
  static void Store(float* p, Vector v) { _mm256_storeu_ps(p, v); }
  static Vector Add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  static Vector Sub(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
  static Vector Mul(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
  static Vector Div(Vector a, Vector b) { return _mm256_div_ps(a, b); }
  static Vector Sqrt(Vector a) { return _mm256_sqrt_ps(a); }
};

}  // namespace

void AdagradAvx2(const AdagradStep& step, const RowLayout& layout, std::span<std::byte* const> rows,
                 const float* gradients) {
  AdagradRows<Avx2>(step, layout, rows, gradients);
}

}  // namespace rowhouse

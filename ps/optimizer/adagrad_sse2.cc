#include <immintrin.h>

#include "ps/optimizer/adagrad_vector.h"

namespace rowhouse {
namespace {

struct Sse2 {
  using Vector = __m128;
  static constexpr uint32_t kLanes = 4;
  static Vector Broadcast(float x) { return _mm_set1_ps(x); }
  static Vector Load(const float* p) { return _mm_loadu_ps(p); }
  static void Store(float* p, Vector v) { _mm_storeu_ps(p, v); }
  static Vector Add(Vector a, Vector b) { return _mm_add_ps(a, b); }
  static Vector Sub(Vector a, Vector b) { return _mm_sub_ps(a, b); }
  static Vector Mul(Vector a, Vector b) { return _mm_mul_ps(a, b); }
  static Vector Div(Vector a, Vector b) { return _mm_div_ps(a, b); }
  static Vector Sqrt(Vector a) { return _mm_sqrt_ps(a); }
};

}  // namespace

void AdagradSse2(const AdagradStep& step, const RowLayout& layout, std::span<std::byte* const> rows,
                 const float* gradients) {
  AdagradRows<Sse2>(step, layout, rows, gradients);
}

}  // namespace rowhouse

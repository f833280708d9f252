#include <immintrin.h>

#include "ps/optimizer/adagrad_vector.h"

namespace rowhouse {
namespace {

struct Avx512 {
  using Vector = __m512;
  static constexpr uint32_t kLanes = 16;
  static Vector Broadcast(float x) { return _mm512_set1_ps(x); }
  static Vector Load(const float* p) { return _mm512_loadu_ps(p); }
  static void Store(float* p, Vector v) { _mm512_storeu_ps(p, v); }
  static Vector Add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  static Vector Sub(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
  static Vector Mul(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
  static Vector Div(Vector a, Vector b) { return _mm512_div_ps(a, b); }
  static Vector Sqrt(Vector a) { return _mm512_sqrt_ps(a); }
};

}  // namespace

void AdagradAvx512(const AdagradStep& step, const RowLayout& layout,
                   std::span<std::byte* const> rows, const float* gradients) {
  AdagradRows<Avx512>(step, layout, rows, gradients);
}

}  // namespace rowhouse

// The vector body that every instruction set's kernel shares, and the scalar tail.
//
// Each adagrad_<isa>.cc is compiled for its own instruction set and gives this template a traits
// class. Internal linkage throughout: code compiled for AVX must not be what the linker keeps for
// everybody.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ps/optimizer/adagrad.h"
#include "storage/row_layout.h"

namespace rowhouse {

void AdagradSse2(const AdagradStep& step, const RowLayout& layout, std::span<std::byte* const> rows,
                 const float* gradients);
void AdagradAvx2(const AdagradStep& step, const RowLayout& layout, std::span<std::byte* const> rows,
                 const float* gradients);
void AdagradAvx512(const AdagradStep& step, const RowLayout& layout,
                   std::span<std::byte* const> rows, const float* gradients);

namespace {

// Elements [begin, end) of one row, one after another.
[[maybe_unused]] inline void AdagradElements(const AdagradStep& step, uint32_t begin, uint32_t end,
                                             const float* gradient, float* weights, float* state) {
  for (uint32_t j = begin; j < end; ++j) {
    float g = gradient[j];
    if (step.weight_decay != 0) g = g + step.weight_decay * weights[j];
    state[j] = state[j] + g * g;
    weights[j] = weights[j] - (step.clr * g) / (std::sqrt(state[j]) + step.eps);
  }
}

template <typename V>
void AdagradRow(const AdagradStep& step, uint32_t dim, const float* gradient, float* weights,
                float* state) {
  const typename V::Vector clr = V::Broadcast(step.clr);
  const typename V::Vector decay = V::Broadcast(step.weight_decay);
  const typename V::Vector eps = V::Broadcast(step.eps);
  const bool decays = step.weight_decay != 0;
  uint32_t j = 0;
  for (; j + V::kLanes <= dim; j += V::kLanes) {
    typename V::Vector g = V::Load(gradient + j);
    const typename V::Vector w = V::Load(weights + j);
    if (decays) g = V::Add(g, V::Mul(decay, w));
    const typename V::Vector s = V::Add(V::Load(state + j), V::Mul(g, g));
    V::Store(state + j, s);
    V::Store(weights + j, V::Sub(w, V::Div(V::Mul(clr, g), V::Add(V::Sqrt(s), eps))));
  }
  AdagradElements(step, j, dim, gradient, weights, state);
}

template <typename V>
void AdagradRows(const AdagradStep& step, const RowLayout& layout, std::span<std::byte* const> rows,
                 const float* gradients) {
  const uint32_t dim = layout.dim();
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] == nullptr) continue;
    AdagradRow<V>(step, dim, gradients + i * dim, RowLayout::Weights(rows[i]),
                  layout.State(rows[i]));
  }
}

}  // namespace
}  // namespace rowhouse

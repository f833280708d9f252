// Element-wise Adagrad over a batch of rows.
//
// Per element, float32, each operation rounded once, in this order:
//   g = g + weight_decay * w          (only where weight_decay is not 0)
//   state = state + g * g
//   w = w - (clr * g) / (sqrt(state) + eps)
// Source: torch.optim.Adagrad. Every kernel gives the same bits: the operations are those of IEEE
// 754, nothing is fused (-ffp-contract=off) and nothing approximated.
//
// Threading: free functions, no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/table_spec.h"
#include "common/types.h"
#include "storage/row_layout.h"

namespace rowhouse {

// The constants of one step, rounded to float once.
struct AdagradStep {
  float clr = 0;  // effective learning rate
  float weight_decay = 0;
  float eps = 0;
};

// lr / (1 + (step - 1) * lr_decay), in double, rounded once. REQUIRES: step >= 1.
float EffectiveLearningRate(const Adagrad& adagrad, Step step);

AdagradStep MakeAdagradStep(const Adagrad& adagrad, float effective_learning_rate);

// rows: [n], each laid out by `layout`; a null row is passed over. gradients: [n, dim].
using AdagradKernel = void (*)(const AdagradStep& step, const RowLayout& layout,
                               std::span<std::byte* const> rows, const float* gradients);

// The reference: one element after another.
void AdagradScalar(const AdagradStep& step, const RowLayout& layout,
                   std::span<std::byte* const> rows, const float* gradients);

struct NamedAdagradKernel {
  std::string_view name;
  AdagradKernel kernel;
};

// Kernels that this processor can run, the scalar reference first, the widest last.
std::vector<NamedAdagradKernel> SupportedAdagradKernels();

}  // namespace rowhouse

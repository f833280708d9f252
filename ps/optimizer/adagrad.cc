#include "ps/optimizer/adagrad.h"

#include <cmath>

#include "ps/optimizer/adagrad_vector.h"

namespace rowhouse {

float EffectiveLearningRate(const Adagrad& adagrad, Step step) {
  const double steps_before = static_cast<double>(step.value() - 1);
  return static_cast<float>(adagrad.lr / (1.0 + steps_before * adagrad.lr_decay));
}

AdagradStep MakeAdagradStep(const Adagrad& adagrad, float effective_learning_rate) {
  return {effective_learning_rate, static_cast<float>(adagrad.weight_decay),
          static_cast<float>(adagrad.eps)};
}

void AdagradScalar(const AdagradStep& step, const RowLayout& layout,
                   std::span<std::byte* const> rows, const float* gradients) {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] == nullptr) continue;
    AdagradElements(step, 0, layout.dim(), gradients + i * layout.dim(),
                    RowLayout::Weights(rows[i]), layout.State(rows[i]));
  }
}

std::vector<NamedAdagradKernel> SupportedAdagradKernels() {
  std::vector<NamedAdagradKernel> kernels = {{"scalar", AdagradScalar}, {"sse2", AdagradSse2}};
  if (__builtin_cpu_supports("avx2")) kernels.push_back({"avx2", AdagradAvx2});
  if (__builtin_cpu_supports("avx512f")) kernels.push_back({"avx512", AdagradAvx512});
  return kernels;
}

}  // namespace rowhouse

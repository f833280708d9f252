#include "common/gradient_bound.h"

#include <algorithm>
#include <cmath>

#include "common/table_spec.h"

namespace rowhouse {
namespace {

// A NaN fails the comparison too.
bool Fits(float g) { return std::fabs(g) <= kGradientAbsMax; }

// Without a branch inside, which the compiler turns into vector code.
[[gnu::always_inline]] inline bool AnyUnfit(const float* gradients, size_t count) {
  int unfit = 0;
  for (size_t i = 0; i < count; ++i) unfit |= !(std::fabs(gradients[i]) <= kGradientAbsMax);
  return unfit != 0;
}

// One for each instruction set: a million gradients are looked through twice as fast in the widest.
bool AnyUnfitSse2(const float* gradients, size_t count) { return AnyUnfit(gradients, count); }
[[gnu::target("avx2")]] bool AnyUnfitAvx2(const float* gradients, size_t count) {
  return AnyUnfit(gradients, count);
}
[[gnu::target("avx512f")]] bool AnyUnfitAvx512(const float* gradients, size_t count) {
  return AnyUnfit(gradients, count);
}

}  // namespace

std::vector<AnyUnfitKernel> SupportedAnyUnfitKernels() {
  std::vector<AnyUnfitKernel> kernels = {AnyUnfitSse2};
  if (__builtin_cpu_supports("avx2")) kernels.push_back(AnyUnfitAvx2);
  if (__builtin_cpu_supports("avx512f")) kernels.push_back(AnyUnfitAvx512);
  return kernels;
}

size_t FirstUnfitGradient(std::span<const float> gradients) {
  static const AnyUnfitKernel any_unfit = SupportedAnyUnfitKernels().back();
  constexpr size_t kBlock = 1024;
  for (size_t begin = 0; begin < gradients.size(); begin += kBlock) {
    const auto block = gradients.subspan(begin, std::min(kBlock, gradients.size() - begin));
    if (!any_unfit(block.data(), block.size())) continue;
    const auto found = std::find_if_not(block.begin(), block.end(), Fits);
    return begin + static_cast<size_t>(found - block.begin());
  }
  return gradients.size();
}

}  // namespace rowhouse

#include "common/gradient_bound.h"

#include <algorithm>
#include <cmath>

#include "common/table_spec.h"

namespace rowhouse {
namespace {

// A NaN fails the comparison too.
bool Fits(float g) { return std::fabs(g) <= kGradientAbsMax; }

}  // namespace

// In blocks without a branch inside, which the compiler turns into vector code.
size_t FirstUnfitGradient(std::span<const float> gradients) {
  constexpr size_t kBlock = 256;
  for (size_t begin = 0; begin < gradients.size(); begin += kBlock) {
    const auto block = gradients.subspan(begin, std::min(kBlock, gradients.size() - begin));
    int unfit = 0;
    for (const float g : block) unfit |= !Fits(g);
    if (unfit == 0) continue;
    const auto found = std::find_if_not(block.begin(), block.end(), Fits);
    return begin + static_cast<size_t>(found - block.begin());
  }
  return gradients.size();
}

}  // namespace rowhouse

#include "common/gradient_bound.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "common/table_spec.h"

namespace rowhouse {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> Unfit() {
  const float above = std::nextafter(kGradientAbsMax, kInfinity);
  return {above, -above, kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()};
}

std::vector<float> Fit() {
  return {kGradientAbsMax, -kGradientAbsMax, 0, -0.0f, 1, std::numeric_limits<float>::denorm_min()};
}

TEST(GradientBound, EveryKernelSeesOneUnfitGradientWhereverItIs) {
  // Four vectors of the widest kernel and a part of one.
  constexpr size_t kCount = 4 * 16 + 7;
  std::vector<float> gradients;
  for (size_t i = 0; i < kCount; ++i) gradients.push_back(Fit()[i % Fit().size()]);
  for (const AnyUnfitKernel any_unfit : SupportedAnyUnfitKernels()) {
    EXPECT_FALSE(any_unfit(gradients.data(), kCount));
    EXPECT_FALSE(any_unfit(gradients.data(), 0));
    for (size_t at = 0; at < kCount; ++at) {
      for (const float unfit : Unfit()) {
        std::vector<float> with = gradients;
        with[at] = unfit;
        EXPECT_TRUE(any_unfit(with.data(), kCount)) << unfit << " at " << at;
        EXPECT_FALSE(any_unfit(with.data(), at)) << unfit << " at " << at;
      }
    }
  }
}

TEST(GradientBound, TheFirstUnfitGradientIsNamed) {
  std::vector<float> gradients(5000, 0.5f);
  EXPECT_EQ(FirstUnfitGradient(gradients), gradients.size());
  EXPECT_EQ(FirstUnfitGradient({}), 0u);
  for (const size_t at : {0, 1023, 1024, 2500, 4999}) {
    gradients[at] = kInfinity;
    gradients.back() = kInfinity;
    EXPECT_EQ(FirstUnfitGradient(gradients), at);
    gradients[at] = gradients.back() = 0.5f;
  }
}

}  // namespace
}  // namespace rowhouse

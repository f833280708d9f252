#include "worker/models/bias_baseline.h"

#include <gtest/gtest.h>

namespace rowhouse {
namespace {

// 40 users by 40 items, rating 3 + (user even ? 0.5 : -0.5) + (item even ? 1 : -1).
std::vector<Rating> Additive() {
  std::vector<Rating> ratings;
  for (uint64_t user = 0; user < 40; ++user) {
    for (uint64_t item = 0; item < 40; ++item) {
      const float value = 3 + (user % 2 == 0 ? 0.5f : -0.5f) + (item % 2 == 0 ? 1.0f : -1.0f);
      ratings.push_back({Key(user), Key(item), value});
    }
  }
  return ratings;
}

TEST(BiasBaseline, FindsAdditiveBiasesShrunkTowardsTheMean) {
  const BiasBaseline baseline(Additive());
  EXPECT_NEAR(baseline.mean(), 3, 1e-6);
  EXPECT_NEAR(baseline.Predict(Key(0), Key(1)), 3 + 0.5 * 40 / 45 - 1.0 * 40 / 43, 1e-6);
}

TEST(BiasBaseline, TakesStrangersAsAverage) {
  const BiasBaseline baseline(Additive());
  EXPECT_NEAR(baseline.Predict(Key(99), Key(99)), 3, 1e-6);
  EXPECT_NEAR(baseline.Predict(Key(99), Key(0)), 3 + 1.0 * 40 / 43, 1e-6);
}

TEST(BiasBaseline, BeatsTheGlobalMean) {
  const BaselineRmse rmse = RmseOfBaselines(Additive(), Additive());
  EXPECT_NEAR(rmse.global_mean, 1.118, 1e-3);
  EXPECT_LT(rmse.bias_only, 0.1);
}

}  // namespace
}  // namespace rowhouse

#include "storage/initializer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace rowhouse {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr TableId kTable(77);

std::vector<float> Weights(const Initializer& init, uint64_t key, size_t dim, uint64_t seed = 1,
                           TableId table = kTable) {
  std::vector<float> out(dim, std::numeric_limits<float>::quiet_NaN());
  InitialWeights(init, seed, table, Key(key), out);
  return out;
}

std::vector<double> Samples(const Initializer& init, size_t keys, size_t dim) {
  std::vector<double> out;
  for (uint64_t key = 0; key < keys; ++key) {
    for (const float x : Weights(init, key, dim)) out.push_back(x);
  }
  return out;
}

double Moment(const std::vector<double>& xs, int power) {
  double sum = 0;
  for (const double x : xs) sum += std::pow(x, power);
  return sum / static_cast<double>(xs.size());
}

double Share(const std::vector<double>& xs, double above) {
  const auto n = std::count_if(xs.begin(), xs.end(), [=](double x) { return x > above; });
  return static_cast<double>(n) / static_cast<double>(xs.size());
}

// Largest distance between the samples' distribution and the one that `cdf` describes.
template <typename Cdf>
double KolmogorovDistance(std::vector<double> xs, Cdf cdf) {
  std::sort(xs.begin(), xs.end());
  double largest = 0;
  const auto n = static_cast<double>(xs.size());
  for (size_t i = 0; i < xs.size(); ++i) {
    const double c = cdf(xs[i]);
    largest =
        std::max({largest, c - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - c});
  }
  return largest;
}

std::vector<uint32_t> Bits(const std::vector<float>& xs) {
  std::vector<uint32_t> out;
  for (const float x : xs) out.push_back(std::bit_cast<uint32_t>(x));
  return out;
}

TEST(Initializer, ZerosAndConstantFillEveryColumn) {
  EXPECT_THAT(Weights(Initializer::Zeros(), 5, 7), Each(0.0f));
  EXPECT_THAT(Weights(Initializer::Constant(-2.5f), 5, 7), Each(-2.5f));
}

// Golden values were computed a second time, by another program with libm's log and cos: rounded to
// float they agree.
TEST(Initializer, GoldenBitsOfUniform) {
  EXPECT_THAT(Bits(Weights(Initializer::Uniform(-0.1f, 0.1f), 0, 5)),
              ElementsAre(0x3c763b73, 0xbb8f914d, 0xbd704577, 0x3d01b03a, 0x3db9d6d8));
  EXPECT_THAT(Bits(Weights(Initializer::Uniform(-0.1f, 0.1f), ~0ull, 5)),
              ElementsAre(0xbcd6c360, 0x3dc5a9eb, 0x3c28585a, 0x3bd9be4d, 0x3d821830));
}

TEST(Initializer, GoldenBitsOfNormal) {
  EXPECT_THAT(Bits(Weights(Initializer::Normal(0, 1), 0, 5)),
              ElementsAre(0xbf855b32, 0x3e13c77b, 0xbf77a12b, 0xbfbe9980, 0xbe8da27c));
  EXPECT_THAT(Bits(Weights(Initializer::Normal(0.5f, 0.01f), ~0ull, 5)),
              ElementsAre(0x3f0397f8, 0x3eff35c7, 0x3efa88d1, 0x3efed797, 0x3eff81fb));
}

TEST(Initializer, ShorterRowIsAPrefixOfALongerOne) {
  for (const auto& init : {Initializer::Uniform(-1, 1), Initializer::Normal(0, 1)}) {
    const auto longest = Weights(init, 9, 13);
    for (size_t dim = 1; dim < 13; ++dim) {
      EXPECT_EQ(Weights(init, 9, dim), std::vector(longest.begin(), longest.begin() + dim)) << dim;
    }
  }
}

TEST(Initializer, SeedTableAndKeyEachChangeTheValues) {
  const auto init = Initializer::Uniform(-1, 1);
  const auto base = Weights(init, 3, 8);
  EXPECT_EQ(base, Weights(init, 3, 8));
  EXPECT_NE(base, Weights(init, 4, 8));
  EXPECT_NE(base, Weights(init, 3 + (1ull << 32), 8));
  EXPECT_NE(base, Weights(init, 3, 8, 2));
  EXPECT_NE(base, Weights(init, 3, 8, 1, TableId(78)));
}

TEST(Initializer, UniformFillsItsIntervalEvenly) {
  const auto xs = Samples(Initializer::Uniform(-2, 6), 20000, 10);
  EXPECT_GE(*std::min_element(xs.begin(), xs.end()), -2.0);
  EXPECT_LT(*std::max_element(xs.begin(), xs.end()), 6.0);
  EXPECT_NEAR(Moment(xs, 1), 2.0, 0.03);
  // 1.95 / sqrt(n) is the 0.1 % point of the Kolmogorov-Smirnov test.
  EXPECT_LT(KolmogorovDistance(xs, [](double x) { return (x + 2) / 8; }),
            1.95 / std::sqrt(xs.size()));
}

TEST(Initializer, UniformNeverReachesItsUpperEnd) {
  // Between these neighbours every value but the lower one would have to be rounded up.
  const float high = std::nextafter(1.0f, 2.0f);
  EXPECT_THAT(Weights(Initializer::Uniform(1.0f, high), 1, 1000), Each(1.0f));
  EXPECT_THAT(Weights(Initializer::Uniform(3.0f, 3.0f), 1, 10), Each(3.0f));
}

TEST(Initializer, NormalHasTheMomentsAndTheShapeOfANormal) {
  const auto xs = Samples(Initializer::Normal(0, 1), 40000, 10);
  EXPECT_NEAR(Moment(xs, 1), 0, 0.006);
  EXPECT_NEAR(Moment(xs, 2), 1, 0.009);
  EXPECT_NEAR(Moment(xs, 3), 0, 0.025);
  EXPECT_NEAR(Moment(xs, 4), 3, 0.07);
  EXPECT_LT(KolmogorovDistance(xs, [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }),
            1.95 / std::sqrt(xs.size()));
}

TEST(Initializer, NormalHasTailsOnBothSides) {
  auto xs = Samples(Initializer::Normal(0, 1), 100000, 20);
  for (int side = 0; side < 2; ++side) {
    EXPECT_NEAR(Share(xs, 2), 0.02275, 0.0005);
    EXPECT_NEAR(Share(xs, 3), 0.0013499, 0.00013);
    EXPECT_NEAR(Share(xs, 4), 3.167e-5, 2e-5);
    for (double& x : xs) x = -x;
  }
  EXPECT_GT(*std::max_element(xs.begin(), xs.end()), 4.5);
  EXPECT_LT(*std::max_element(xs.begin(), xs.end()), 6.77);
}

TEST(Initializer, NormalColumnsAreUncorrelated) {
  constexpr size_t kDim = 8;
  constexpr size_t kKeys = 50000;
  const auto xs = Samples(Initializer::Normal(0, 1), kKeys, kDim);
  for (size_t a = 0; a < kDim; ++a) {
    for (size_t b = a + 1; b < kDim; ++b) {
      double sum = 0;
      for (size_t i = 0; i < kKeys; ++i) sum += xs[i * kDim + a] * xs[i * kDim + b];
      EXPECT_NEAR(sum / kKeys, 0, 0.02) << a << " " << b;
    }
  }
}

TEST(Initializer, MeanAndDeviationScaleTheNormal) {
  const auto xs = Samples(Initializer::Normal(10, 0.5f), 20000, 10);
  const double mean = Moment(xs, 1);
  EXPECT_NEAR(mean, 10, 0.005);
  EXPECT_NEAR(std::sqrt(Moment(xs, 2) - mean * mean), 0.5, 0.005);
}

TEST(Initializer, LargestSpecsGiveFiniteValues) {
  constexpr float kMax = std::numeric_limits<float>::max();
  for (const auto& init : {Initializer::Normal(kMax, kMax), Initializer::Uniform(-kMax, kMax),
                           Initializer::Normal(-1e6f, 1e6f)}) {
    for (uint64_t key = 0; key < 100; ++key) {
      for (const float x : Weights(init, key, 33)) EXPECT_TRUE(std::isfinite(x));
    }
  }
}

}  // namespace
}  // namespace rowhouse

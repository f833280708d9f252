#include "ps/optimizer/adagrad.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace rowhouse {
namespace {

// Rows with the given values, each starting at an odd multiple of four bytes where `shift` is 4.
class Rows {
 public:
  Rows(const RowLayout& layout, size_t count, uint32_t seed, size_t shift)
      : layout_(layout), memory_(layout.stride_bytes() * count + 64) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (size_t i = 0; i < count; ++i) {
      pointers_.push_back(memory_.data() + shift + i * layout.stride_bytes());
      for (uint32_t j = 0; j < layout.dim(); ++j) {
        RowLayout::Weights(pointers_[i])[j] = normal(random);
        layout.State(pointers_[i])[j] = std::fabs(normal(random));
      }
    }
  }
  std::span<std::byte*> pointers() { return pointers_; }
  std::vector<std::byte> Values() const {
    std::vector<std::byte> values;
    for (const std::byte* row : pointers_) {
      const auto* begin = reinterpret_cast<const std::byte*>(RowLayout::Weights(row));
      values.insert(values.end(), begin, begin + layout_.value_bytes());
    }
    return values;
  }

 private:
  RowLayout layout_;
  std::vector<std::byte> memory_;
  std::vector<std::byte*> pointers_;
};

std::vector<float> Gradients(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::uniform_int_distribution<int> exponent(-60, 30);
  std::vector<float> gradients(count);
  for (float& g : gradients) g = std::ldexp(normal(random), exponent(random));
  return gradients;
}

std::vector<std::byte> RunThrice(AdagradKernel kernel, uint32_t dim, float decay, size_t shift) {
  const RowLayout layout(dim, dim);
  constexpr size_t kCount = 9;
  Rows rows(layout, kCount, dim, shift);
  const AdagradStep step{0.05f, decay, 1e-10f};
  for (uint32_t round = 0; round < 3; ++round) {
    kernel(step, layout, rows.pointers(), Gradients(kCount * dim, dim + round).data());
  }
  return rows.Values();
}

TEST(Adagrad, EveryKernelGivesTheBitsOfTheScalarReference) {
  const auto kernels = SupportedAdagradKernels();
  ASSERT_GE(kernels.size(), 2u);
  for (uint32_t dim = 1; dim <= 130; ++dim) {
    for (const float decay : {0.0f, 0.12f}) {
      for (const size_t shift : {0, 8}) {
        const auto expected = RunThrice(AdagradScalar, dim, decay, shift);
        for (const auto& [name, kernel] : kernels) {
          ASSERT_EQ(RunThrice(kernel, dim, decay, shift), expected)
              << name << " dim " << dim << " decay " << decay;
        }
      }
    }
  }
}

TEST(Adagrad, FollowsTheFormulaOfOneElement) {
  const RowLayout layout(1, 1);
  Rows rows(layout, 1, 1, 0);
  std::byte* row = rows.pointers()[0];
  *RowLayout::Weights(row) = 2.0f;
  *layout.State(row) = 9.0f;
  const float gradient = 3.5f;
  AdagradScalar({0.1f, 0.25f, 1.0f}, layout, rows.pointers(), &gradient);
  EXPECT_EQ(*layout.State(row), 9.0f + 4.0f * 4.0f);
  EXPECT_EQ(*RowLayout::Weights(row), 2.0f - (0.1f * 4.0f) / (5.0f + 1.0f));
}

TEST(Adagrad, PassesOverNullRows) {
  const RowLayout layout(4, 4);
  for (const auto& [name, kernel] : SupportedAdagradKernels()) {
    Rows rows(layout, 3, 1, 0);
    const auto before = rows.Values();
    std::vector<std::byte*> none(3, nullptr);
    kernel({0.1f, 0, 1e-10f}, layout, none, Gradients(12, 1).data());
    EXPECT_EQ(rows.Values(), before) << name;
  }
}

TEST(Adagrad, LearningRateDecaysWithTheStepAndIsRoundedOnce) {
  const Adagrad adagrad{.lr = 0.1, .lr_decay = 0.01};
  EXPECT_EQ(EffectiveLearningRate(adagrad, Step(1)), 0.1f);
  EXPECT_EQ(EffectiveLearningRate(adagrad, Step(101)), static_cast<float>(0.1 / (1 + 100 * 0.01)));
}

TEST(Adagrad, StaysFiniteAtTheLimitsOfWhatIsAccepted) {
  const RowLayout layout(1, 1);
  for (const float gradient : {kGradientAbsMax, -kGradientAbsMax, 1e-45f, 1e-23f, 0.0f}) {
    Rows rows(layout, 1, 1, 0);
    *RowLayout::Weights(rows.pointers()[0]) = 0;
    *layout.State(rows.pointers()[0]) = 0;
    for (int i = 0; i < 1000; ++i) {
      AdagradScalar({1e6f, 0, 1e-30f}, layout, rows.pointers(), &gradient);
    }
    EXPECT_TRUE(std::isfinite(*RowLayout::Weights(rows.pointers()[0]))) << gradient;
  }
}

}  // namespace
}  // namespace rowhouse

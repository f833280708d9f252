// What Rowhouse's speed is held against does the work that it is said to do.
#include "tests/bench/bare_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace rowhouse {
namespace {

constexpr size_t kRows = 1000;

std::vector<Key> RandomKeys() {
  std::mt19937_64 random(7);
  std::vector<Key> keys;
  for (size_t i = 0; i < kRows; ++i) keys.push_back(Key(random()));
  return keys;
}

class BareTableTest : public testing::TestWithParam<uint32_t> {
 protected:
  uint32_t dim() const { return GetParam(); }

  std::vector<float> Gather(std::span<const Key> keys) const {
    std::vector<float> out(keys.size() * dim());
    table_.Gather(keys, out.data());
    return out;
  }

  const std::vector<Key> keys_ = RandomKeys();
  BareTable table_{keys_, GetParam()};
};

TEST_P(BareTableTest, EveryRowBeginsAlike) {
  for (const float weight : Gather(keys_)) ASSERT_EQ(weight, 0.1f);
}

// By number of keys: whole chunks of the pipeline, parts of one, none.
TEST_P(BareTableTest, UpdatesAndGathersAreThoseOfALoop) {
  std::mt19937_64 random(11);
  std::normal_distribution<float> normal;
  std::vector<float> weights(kRows * dim(), 0.1f);
  std::vector<float> sums(kRows * dim());
  for (const size_t count : {size_t{0}, size_t{1}, size_t{15}, size_t{16}, size_t{33}, kRows}) {
    const size_t first = random() % (kRows - count + 1);
    std::vector<float> gradients(count * dim());
    for (float& g : gradients) g = normal(random);
    table_.Update(std::span(keys_).subspan(first, count), gradients.data());
    for (size_t i = 0; i < gradients.size(); ++i) {
      float& weight = weights[first * dim() + i];
      float& sum = sums[first * dim() + i];
      sum = sum + gradients[i] * gradients[i];
      weight = weight - (0.01f * gradients[i]) / (std::sqrt(sum) + 1e-10f);
    }
    ASSERT_EQ(Gather(keys_), weights) << count;
  }
}

INSTANTIATE_TEST_SUITE_P(Dims, BareTableTest, testing::Values(1, 8, 16, 64, 100));

}  // namespace
}  // namespace rowhouse

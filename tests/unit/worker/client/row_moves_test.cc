#include "worker/client/row_moves.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace rowhouse {
namespace {

constexpr TableId kTable{17};

std::vector<Key> RandomKeys(size_t count, uint64_t range, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Key> keys;
  for (size_t i = 0; i < count; ++i) keys.push_back(Key(random() % range));
  return keys;
}

// Of magnitudes so different that another order of additions gives other bits.
std::vector<float> RandomFloats(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> mantissa(-1, 1);
  std::vector<float> floats;
  for (size_t i = 0; i < count; ++i) {
    floats.push_back(std::ldexp(mantissa(random), static_cast<int>(random() % 30)));
  }
  return floats;
}

using Rows = std::map<Key, std::vector<float>>;

Rows SumSlowly(const std::vector<Key>& keys, const std::vector<float>& rows, uint32_t dim) {
  Rows sums;
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::vector<float> row(rows.begin() + static_cast<ptrdiff_t>(i * dim),
                                 rows.begin() + static_cast<ptrdiff_t>((i + 1) * dim));
    const auto [at, is_new] = sums.emplace(keys[i], row);
    for (uint32_t j = 0; !is_new && j < dim; ++j) at->second[j] += row[j];
  }
  return sums;
}

TEST(MergeRows, SumsInOrderOfAppearance) {
  for (const uint32_t dim : {1, 3, 16, 65}) {
    for (const uint64_t range : {1, 4, 1000}) {
      const std::vector<Key> keys = RandomKeys(100, range, dim);
      const std::vector<float> rows = RandomFloats(keys.size() * dim, range);
      const KeySplit split = SplitKeys(kTable, keys, SlotMap(3));
      Rows sums;
      for (const ShardKeys& part : split.shards) {
        std::vector<float> out(part.keys.size() * dim);
        MergeRows(split, part, dim, rows, out);
        for (size_t i = 0; i < part.keys.size(); ++i) {
          sums[part.keys[i]].assign(out.begin() + static_cast<ptrdiff_t>(i * dim),
                                    out.begin() + static_cast<ptrdiff_t>((i + 1) * dim));
        }
      }
      EXPECT_EQ(sums, SumSlowly(keys, rows, dim));
    }
  }
}

// A row whose value tells its key and column.
void AppendRow(Key key, uint32_t dim, std::vector<float>* rows) {
  for (uint32_t j = 0; j < dim; ++j) rows->push_back(static_cast<float>(key.value() * 1000 + j));
}

TEST(ScatterRows, FillsEveryOccurrenceFromAnyCutOfTheAnswer) {
  for (const uint32_t dim : {1, 3, 16}) {
    for (const size_t step : {1, 7, 1000}) {
      const std::vector<Key> keys = RandomKeys(100, 40, dim);
      const KeySplit split = SplitKeys(kTable, keys, SlotMap(3));
      std::vector<float> rows(keys.size() * dim, -1);
      for (const ShardKeys& part : split.shards) {
        for (size_t first = 0; first < part.keys.size(); first += step) {
          const size_t count = std::min(step, part.keys.size() - first);
          std::vector<float> in;
          for (size_t i = 0; i < count; ++i) AppendRow(part.keys[first + i], dim, &in);
          ScatterRows(split, part, first, count, dim, in, rows);
        }
      }
      std::vector<float> expected;
      for (const Key key : keys) AppendRow(key, dim, &expected);
      EXPECT_EQ(rows, expected);
    }
  }
}

TEST(ScatterRows, CopiesRunsOfDirectRows) {
  const std::vector<Key> keys = {Key(3), Key(1), Key(2)};
  const KeySplit split = SplitKeys(kTable, keys, SlotMap(1));
  std::vector<float> rows(6, 0);
  const std::vector<float> in = {1, 2, 3, 4};
  ScatterRows(split, split.shards[0], 1, 2, 2, in, rows);
  EXPECT_EQ(rows, (std::vector<float>{0, 0, 1, 2, 3, 4}));
}

}  // namespace
}  // namespace rowhouse

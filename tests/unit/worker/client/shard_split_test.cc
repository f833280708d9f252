#include "worker/client/shard_split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace rowhouse {
namespace {

constexpr TableId kTable{17};

std::vector<Key> Keys(const std::vector<uint64_t>& numbers) {
  std::vector<Key> keys;
  for (const uint64_t number : numbers) keys.push_back(Key(number));
  return keys;
}

std::vector<uint32_t> RowsOf(const KeySplit& split, const ShardKeys& part, size_t i) {
  std::vector<uint32_t> rows;
  for (uint32_t row = part.first_row(i); row != kNoRow; row = split.next_row(row)) {
    rows.push_back(row);
  }
  return rows;
}

// What the split must say, found the slow way: by shard, keys in order of first appearance, each
// with all its rows.
using Expected = std::map<uint32_t, std::vector<std::pair<Key, std::vector<uint32_t>>>>;

Expected SplitSlowly(const std::vector<Key>& keys, const SlotMap& slots) {
  Expected out;
  for (uint32_t row = 0; row < keys.size(); ++row) {
    auto& entries = out[slots.ShardOf(kTable, keys[row]).value()];
    auto found = std::ranges::find(entries, keys[row], [](const auto& e) { return e.first; });
    if (found == entries.end()) found = entries.insert(entries.end(), {keys[row], {}});
    found->second.push_back(row);
  }
  return out;
}

void ExpectSame(const std::vector<Key>& keys, uint32_t shard_count) {
  const SlotMap slots(shard_count);
  const KeySplit split = SplitKeys(kTable, keys, slots);
  Expected got;
  for (const ShardKeys& part : split.shards) {
    EXPECT_FALSE(got.contains(part.shard.value()));
    for (size_t i = 0; i < part.keys.size(); ++i) {
      got[part.shard.value()].emplace_back(part.keys[i], RowsOf(split, part, i));
    }
  }
  EXPECT_EQ(got, SplitSlowly(keys, slots));
  EXPECT_TRUE(std::ranges::is_sorted(split.shards, {}, [](const auto& s) { return s.shard; }));
}

TEST(ShardSplit, AgreesWithTheSlowWay) {
  std::mt19937_64 random(3);
  for (const uint32_t shard_count : {1, 2, 3, 5, 64}) {
    for (const uint64_t range : {1, 3, 50, 100000}) {
      for (const size_t count : {0, 1, 2, 3, 17, 200}) {
        std::vector<Key> keys;
        for (size_t i = 0; i < count; ++i) keys.push_back(Key(random() % range));
        ExpectSame(keys, shard_count);
      }
    }
  }
}

TEST(ShardSplit, TakesTheExtremeKeys) { ExpectSame(Keys({0, ~0ull, 0, 1ull << 63, ~0ull}), 3); }

TEST(ShardSplit, UsesTheCallersKeysWhereTheyAreUniqueAndOnOneShard) {
  const std::vector<Key> keys = Keys({5, 9, 1});
  const KeySplit split = SplitKeys(kTable, keys, SlotMap(1));
  ASSERT_EQ(split.shards.size(), 1u);
  EXPECT_EQ(split.shards[0].keys.data(), keys.data());
  EXPECT_TRUE(split.direct(split.shards[0]));
}

TEST(ShardSplit, AllOnOneOfSeveralShardsIsAsGoodAsOneShard) {
  const SlotMap slots(4);
  std::vector<Key> keys;
  for (uint64_t key = 0; keys.size() < 10; ++key) {
    if (slots.ShardOf(kTable, Key(key)) == ShardId(2)) keys.push_back(Key(key));
  }
  const KeySplit split = SplitKeys(kTable, keys, slots);
  ASSERT_EQ(split.shards.size(), 1u);
  EXPECT_EQ(split.shards[0].shard, ShardId(2));
  EXPECT_TRUE(split.direct(split.shards[0]));
}

TEST(ShardSplit, RepeatedKeysAreNotDirect) {
  const std::vector<Key> keys = Keys({5, 9, 5});
  const KeySplit split = SplitKeys(kTable, keys, SlotMap(1));
  ASSERT_EQ(split.shards.size(), 1u);
  EXPECT_FALSE(split.direct(split.shards[0]));
  EXPECT_EQ(split.shards[0].keys.size(), 2u);
}

}  // namespace
}  // namespace rowhouse

#include "storage/row_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <unordered_map>

#include "common/fingerprint.h"
#include "storage/row_layout.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr TableId kTable(0x1234567890abcdef);

class RowIndexTest : public ::testing::Test {
 protected:
  // Rows of `keys`, new ones made; returns how many were new.
  size_t Insert(const std::vector<Key>& keys) {
    rows_.assign(keys.size(), nullptr);
    created_.clear();
    index_.FindOrInsert(keys, rows_, created_);
    return created_.size();
  }
  const std::vector<std::byte*>& Find(const std::vector<Key>& keys) {
    rows_.assign(keys.size(), nullptr);
    index_.Find(keys, rows_);
    return rows_;
  }

  RowSlabs slabs_{sizeof(RowHeader) + 8};
  RowIndex index_{kTable, &slabs_};
  std::vector<std::byte*> rows_;
  std::vector<uint32_t> created_;
};

// A fingerprint is a bijection of the key, so every fingerprint has a key.
Key KeyWithFingerprint(uint64_t fingerprint) {
  const auto unshift = [](uint64_t z, int by) {
    uint64_t x = z;
    for (int i = 0; i < 64 / by + 1; ++i) x = z ^ (x >> by);
    return x;
  };
  const auto inverse = [](uint64_t odd) {
    uint64_t x = odd;
    for (int i = 0; i < 6; ++i) x *= 2 - odd * x;
    return x;
  };
  uint64_t z = unshift(fingerprint, 31) * inverse(0x94D049BB133111EBull);
  z = unshift(z, 27) * inverse(0xBF58476D1CE4E5B9ull);
  z = unshift(z, 30);
  return Key((z ^ kTable.value()) - 0x9E3779B97F4A7C15ull);
}

TEST_F(RowIndexTest, EmptyIndexFindsNothing) {
  EXPECT_THAT(Find({Key(0), Key(~0ull), Key(5)}), ElementsAre(nullptr, nullptr, nullptr));
  EXPECT_THAT(Find({}), IsEmpty());
}

TEST_F(RowIndexTest, SmallestAndLargestKeyAreKeysLikeOthers) {
  EXPECT_EQ(Insert({Key(0), Key(~0ull)}), 2u);
  const auto rows = rows_;
  EXPECT_NE(rows[0], rows[1]);
  EXPECT_EQ(RowLayout::Header(rows[0]).key, Key(0));
  EXPECT_EQ(RowLayout::Header(rows[1]).key, Key(~0ull));
  EXPECT_THAT(Find({Key(~0ull), Key(1), Key(0)}), ElementsAre(rows[1], nullptr, rows[0]));
}

TEST_F(RowIndexTest, NamesThePositionsThatGotANewRow) {
  Insert({Key(1), Key(2)});
  EXPECT_EQ(Insert({Key(3), Key(2), Key(4), Key(1)}), 2u);
  EXPECT_THAT(created_, ElementsAre(0, 2));
}

TEST_F(RowIndexTest, RepeatedKeysInOneBatchShareARow) {
  EXPECT_EQ(Insert({Key(7), Key(8), Key(7)}), 2u);
  EXPECT_EQ(rows_[0], rows_[2]);
}

TEST_F(RowIndexTest, AgreesWithUnorderedMapOverRandomOperations) {
  std::mt19937_64 random(20261124);
  std::unordered_map<uint64_t, std::byte*> model;
  const auto draw = [&]() -> Key {
    const uint64_t r = random();
    if (r % 50 == 0) return Key(r % 100 == 0 ? 0 : ~0ull);
    return Key(r % 3 == 0 ? random() : random() % 40000);
  };
  for (int round = 0; round < 3000; ++round) {
    std::vector<Key> keys(random() % 150);
    for (Key& key : keys) key = draw();
    if (random() % 2 == 0) {
      Find(keys);
      for (size_t i = 0; i < keys.size(); ++i) {
        const auto found = model.find(keys[i].value());
        ASSERT_EQ(rows_[i], found == model.end() ? nullptr : found->second) << keys[i];
      }
    } else {
      Insert(keys);
      for (size_t i = 0; i < keys.size(); ++i) {
        ASSERT_EQ(model.try_emplace(keys[i].value(), rows_[i]).first->second, rows_[i]) << keys[i];
      }
    }
    ASSERT_EQ(slabs_.row_count(), model.size());
  }
  EXPECT_GT(model.size(), 50000u);  // beyond one part
}

TEST_F(RowIndexTest, AgreesWithUnorderedMapWhenKeysAreErased) {
  std::mt19937_64 random(20261125);
  std::unordered_map<uint64_t, std::byte*> model;
  for (int round = 0; round < 4000; ++round) {
    // Grows to 30,000 keys and more, then shrinks, then grows again.
    const bool grow = round % 2000 < 1200;
    std::vector<Key> keys(random() % 100);
    for (Key& key : keys) key = Key(random() % 60000);
    if (random() % 4 == 0) {
      Find(keys);
      for (size_t i = 0; i < keys.size(); ++i) {
        const auto found = model.find(keys[i].value());
        ASSERT_EQ(rows_[i], found == model.end() ? nullptr : found->second) << keys[i];
      }
    } else if (random() % 10 < (grow ? 8 : 1)) {
      Insert(keys);
      for (size_t i = 0; i < keys.size(); ++i) {
        ASSERT_EQ(model.try_emplace(keys[i].value(), rows_[i]).first->second, rows_[i]) << keys[i];
      }
    } else {
      for (const Key key : keys) {
        const auto found = model.find(key.value());
        if (found == model.end()) continue;
        ASSERT_EQ(index_.Erase(key), found->second) << key;
        model.erase(found);
      }
    }
    ASSERT_EQ(slabs_.row_count(), model.size());
  }
  for (const auto& [key, row] : model) ASSERT_EQ(Find({Key(key)})[0], row) << key;
}

// Erasing among entries that lie in buckets behind their own must not cut off those behind them.
TEST_F(RowIndexTest, ErasingFromAFullBucketLosesNoOtherKey) {
  std::vector<Key> keys;
  for (uint64_t i = 0; i < 3000; ++i) keys.push_back(KeyWithFingerprint(i << 40 | 0x7000000));
  EXPECT_EQ(Insert(keys), keys.size());
  for (size_t i = 0; i < keys.size(); i += 2) index_.Erase(keys[i]);
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(Find({keys[i]})[0] != nullptr, i % 2 == 1) << i;
  }
  EXPECT_EQ(Insert(keys), keys.size() / 2);
  for (const Key key : keys) ASSERT_NE(Find({key})[0], nullptr) << key;
}

TEST_F(RowIndexTest, KeepsEveryKeyWhilePartsSplit) {
  constexpr uint64_t kKeys = 400000;
  std::vector<Key> batch;
  for (uint64_t key = 0; key < kKeys; ++key) {
    batch.push_back(Key(key));
    if (batch.size() < 4096 && key + 1 < kKeys) continue;
    ASSERT_EQ(Insert(batch), batch.size());
    batch.clear();
  }
  for (uint64_t key = 0; key < kKeys; ++key) {
    ASSERT_NE(Find({Key(key)})[0], nullptr) << key;
    ASSERT_EQ(RowLayout::Header(rows_[0]).key, Key(key));
    ASSERT_EQ(rows_[0], slabs_.Row(static_cast<uint32_t>(key))) << key;
  }
  EXPECT_EQ(Find({Key(kKeys)})[0], nullptr);
}

TEST_F(RowIndexTest, CostsAboutNineBytesARow) {
  EXPECT_LT(index_.resident_bytes(), 256u);
  std::vector<Key> keys;
  for (uint64_t key = 0; key < 1000000; ++key) keys.push_back(Key(key));
  Insert(keys);
  EXPECT_LT(static_cast<double>(index_.resident_bytes()) / 1e6, 13.0);  // just after all have split
}

// A shard owns keys that agree in the top bits of their fingerprints.
TEST_F(RowIndexTest, OneSlotOfKeysIsSpreadLikeAnyOther) {
  constexpr uint64_t kKeys = 200000;
  std::mt19937_64 random(7);
  std::vector<Key> keys;
  for (uint64_t i = 0; i < kKeys; ++i) {
    keys.push_back(KeyWithFingerprint((random() >> 14) | (uint64_t{0x2aaa} << 50)));
  }
  ASSERT_EQ(Fingerprint(kTable, keys[0]) >> 50, 0x2aaau);
  EXPECT_EQ(Insert(keys), kKeys);
  EXPECT_LT(index_.resident_bytes() / kKeys, 16u);
}

// One part far deeper than the rest, then the rest: many directory entries point to one part.
TEST_F(RowIndexTest, PartsThatLagBehindTheDirectorySplitToo) {
  std::mt19937_64 random(8);
  std::vector<Key> keys;
  for (uint64_t i = 0; i < 30000; ++i) keys.push_back(KeyWithFingerprint(random() << 4));
  for (uint64_t i = 0; i < 200000; ++i) keys.push_back(KeyWithFingerprint(random() | 1));
  EXPECT_EQ(Insert(keys), keys.size());
  const auto rows = rows_;
  EXPECT_EQ(Find(keys), rows);
  EXPECT_EQ(Insert(keys), 0u);
}

TEST_F(RowIndexTest, KeysChosenToCollideStillWork) {
  constexpr uint64_t kKeys = 60000;
  std::vector<Key> keys;
  // All the bits that choose the part agree; those that choose the bucket differ.
  for (uint64_t i = 0; i < kKeys; ++i) keys.push_back(KeyWithFingerprint(i << 24 | 0xabcdef));
  EXPECT_EQ(Insert(keys), kKeys);
  EXPECT_EQ(Insert(keys), 0u);
  EXPECT_EQ(Find({KeyWithFingerprint(kKeys << 24 | 0xabcdef)})[0], nullptr);
  EXPECT_LT(index_.resident_bytes() / kKeys, 40u);
}

}  // namespace
}  // namespace rowhouse

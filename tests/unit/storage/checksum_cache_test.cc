#include "storage/checksum_cache.h"

#include <gtest/gtest.h>

namespace rowhouse {
namespace {

FileFacts File(uint64_t inode) { return {1, inode, 100, 5, "rows/1.sst"}; }

TEST(ChecksumCache, KnowsAFileByEverythingThatTellsItApart) {
  ChecksumCache cache;
  cache.Note(File(1), 7);
  EXPECT_EQ(cache.Find(File(1)), 7u);
  EXPECT_FALSE(cache.Find({2, 1, 100, 5, "rows/1.sst"}).has_value());
  EXPECT_FALSE(cache.Find({1, 2, 100, 5, "rows/1.sst"}).has_value());
  EXPECT_FALSE(cache.Find({1, 1, 101, 5, "rows/1.sst"}).has_value());
  EXPECT_FALSE(cache.Find({1, 1, 100, 6, "rows/1.sst"}).has_value());
  EXPECT_FALSE(cache.Find({1, 1, 100, 5, "rows/2.sst"}).has_value());
  cache.Forget(File(1));
  EXPECT_FALSE(cache.Find(File(1)).has_value());
}

TEST(ChecksumCache, ForgetsWhatARoundDidNotAskFor) {
  ChecksumCache cache;
  cache.Note(File(1), 7);
  cache.Note(File(2), 8);
  cache.EndRound();
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.Find(File(2)), 8u);
  cache.EndRound();
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_FALSE(cache.Find(File(1)).has_value());
}

TEST(ChecksumCache, StaysWithinItsBound) {
  ChecksumCache cache(10);
  for (uint64_t i = 1; i <= 1000; ++i) {
    cache.Note(File(i), i);
    EXPECT_LE(cache.size(), 10u);
    EXPECT_EQ(cache.Find(File(i)), i);
  }
}

}  // namespace
}  // namespace rowhouse

#include "worker/client/backoff.h"

#include <gtest/gtest.h>

#include <vector>

namespace rowhouse {
namespace {

std::vector<uint32_t> Take(Backoff backoff, int count) {
  std::vector<uint32_t> waits;
  for (int i = 0; i < count; ++i) waits.push_back(backoff.NextMs());
  return waits;
}

TEST(Backoff, DoublesUpToItsMaximumWithJitterInTheUpperHalf) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const std::vector<uint32_t> waits = Take(Backoff(20, 2000, seed), 12);
    uint32_t limit = 20;
    for (const uint32_t wait : waits) {
      EXPECT_GE(wait, limit / 2);
      EXPECT_LE(wait, limit);
      limit = std::min(2 * limit, 2000u);
    }
  }
}

TEST(Backoff, FollowsFromItsSeed) {
  EXPECT_EQ(Take(Backoff(20, 2000, 5), 20), Take(Backoff(20, 2000, 5), 20));
  EXPECT_NE(Take(Backoff(20, 2000, 5), 20), Take(Backoff(20, 2000, 6), 20));
}

TEST(Backoff, BeginsAnewAfterASuccess) {
  Backoff backoff(20, 2000, 1);
  for (int i = 0; i < 10; ++i) backoff.NextMs();
  EXPECT_GT(backoff.NextMs(), 20u);
  backoff.Reset();
  EXPECT_LE(backoff.NextMs(), 20u);
}

TEST(Backoff, NeverSpins) {
  for (const uint32_t wait : Take(Backoff(1, 1, 3), 10)) EXPECT_EQ(wait, 1u);
}

TEST(Backoff, TheLargestMaximumDoesNotOverflow) {
  for (const uint32_t wait : Take(Backoff(0x80000001, 0xffffffff, 3), 10)) {
    EXPECT_GE(wait, 0x40000000u);
  }
}

}  // namespace
}  // namespace rowhouse

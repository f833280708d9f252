#include "ps/dedup_window.h"

#include <gtest/gtest.h>

#include "common/refusal.h"

namespace rowhouse {
namespace {

PartId Part(uint64_t sequence, uint32_t shard = 0) { return {Sequence(sequence), ShardId(shard)}; }

TEST(DedupWindow, KnowsWhatWasAdded) {
  DedupWindow window;
  window.Add(Part(1), {Lsn(10)}, Sequence(1));
  EXPECT_EQ(window.Find(Part(1)), Lsn(10));
  EXPECT_EQ(window.Find(Part(2)), std::nullopt);
}

TEST(DedupWindow, TellsPartsOfOneNumberApartByTheirFirstShard) {
  DedupWindow window;
  window.Add(Part(1, 0), {Lsn(10)}, Sequence(1));
  EXPECT_EQ(window.Find(Part(1, 1)), std::nullopt);
}

TEST(DedupWindow, RefusesANumberThatWasGivenUp) {
  DedupWindow window;
  window.Add(Part(9), {Lsn(10)}, Sequence(8));
  const absl::Status status = window.CheckNew(Part(7), Sequence(1), 100);
  EXPECT_EQ(ReasonOf(status), RefusalReason::kBelowWindow);
  EXPECT_TRUE(window.CheckNew(Part(8), Sequence(8), 100).ok());
}

TEST(DedupWindow, ForgetsWhatTheClientWillNotRetry) {
  DedupWindow window;
  for (uint64_t i = 1; i <= 100; ++i) window.Add(Part(i), {Lsn(i)}, Sequence(i > 4 ? i - 4 : 1));
  EXPECT_EQ(window.size(), 5u);
  EXPECT_EQ(window.floor(), Sequence(96));
  EXPECT_EQ(window.AppliedSequences().front(), Sequence(96));
}

TEST(DedupWindow, IsBounded) {
  DedupWindow window;
  window.Add(Part(1), {Lsn(1)}, Sequence(1));
  window.Add(Part(2), {Lsn(2)}, Sequence(1));
  EXPECT_EQ(ReasonOf(window.CheckNew(Part(3), Sequence(1), 2)), RefusalReason::kWindowFull);
  EXPECT_TRUE(window.CheckNew(Part(3), Sequence(2), 2).ok());
}

}  // namespace
}  // namespace rowhouse

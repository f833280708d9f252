#include "storage/rocks_merges.h"

#include <gtest/gtest.h>

#include <thread>

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

TEST(RocksMerges, AMergeThatEndsWakesWhoWaits) {
  RocksMerges merges;
  const uint64_t before = merges.ended();
  std::thread merge([&] { merges.NoteEnd(); });
  EXPECT_TRUE(merges.WaitBeyond(before, Clock::now() + std::chrono::minutes(1)));
  merge.join();
  EXPECT_EQ(merges.ended(), before + 1);
}

TEST(RocksMerges, OneThatEndedBeforeTheWaitCounts) {
  RocksMerges merges;
  const uint64_t before = merges.ended();
  merges.NoteEnd();
  EXPECT_TRUE(merges.WaitBeyond(before, Clock::now()));
}

TEST(RocksMerges, TheWaitHasAnEnd) {
  RocksMerges merges;
  EXPECT_FALSE(merges.WaitBeyond(merges.ended(), Clock::now() + std::chrono::milliseconds(1)));
}

TEST(RocksMerges, AChangeIsTakenOnce) {
  RocksMerges merges;
  EXPECT_FALSE(merges.TakeChange());
  merges.NoteEnd();
  merges.NoteEnd();
  EXPECT_TRUE(merges.TakeChange());
  EXPECT_FALSE(merges.TakeChange());
}

}  // namespace
}  // namespace rowhouse

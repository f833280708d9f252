#include "tests/crash/cut_checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "tests/support/frames.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Checkpoint 5 of two shards, cut at LSN 10 on both.
class CutCheckerTest : public ::testing::Test {
 protected:
  CutCheckerTest() {
    manifest_.mark = Mark(5);
    for (const uint32_t shard : {0, 1}) manifest_.shards.push_back({ShardId(shard), {}, Lsn(10)});
  }

  // A push of two parts; what the checker says of one of them.
  bool Take(uint32_t shard, uint64_t lsn, uint64_t sequence, uint64_t mark) {
    if (checker_ == nullptr) checker_ = std::make_unique<CutChecker>(manifest_);
    TestPush push;
    push.sequence = Sequence(sequence);
    push.mark = Mark(mark);
    push.part_count = 2;
    const std::vector<std::byte> body = PushBody(push);
    LogRecord record;
    record.lsn = Lsn(lsn);
    record.body = body;
    const absl::StatusOr<bool> counts = checker_->Take(ShardId(shard), record);
    EXPECT_TRUE(counts.ok()) << counts.status();
    return counts.value_or(false);
  }

  CheckpointManifest manifest_;
  std::unique_ptr<CutChecker> checker_;
};

TEST_F(CutCheckerTest, TakesWhatIsMarkedLess) {
  EXPECT_TRUE(Take(0, 1, 1, 4));
  EXPECT_TRUE(Take(1, 9, 1, 4));
  EXPECT_FALSE(Take(0, 2, 2, 5));
  EXPECT_FALSE(Take(1, 11, 2, 5));
  EXPECT_THAT(checker_->Errors(), IsEmpty());
}

TEST_F(CutCheckerTest, SeesAPushInTheCutOnOneShardOnly) {
  Take(0, 1, 1, 4);
  Take(1, 2, 1, 5);
  EXPECT_THAT(checker_->Errors(), ElementsAre(HasSubstr("1 of 2 parts")));
}

TEST_F(CutCheckerTest, SeesAPartBehindTheCut) {
  Take(0, 10, 1, 4);
  EXPECT_FALSE(Take(1, 11, 1, 4));
  EXPECT_THAT(checker_->Errors(),
              ElementsAre(HasSubstr("behind the cut of shard 1"), HasSubstr("")));
}

TEST_F(CutCheckerTest, AcceptsAHalfPushThatTheManifestNamesAsItIs) {
  manifest_.half_steps.push_back({ClientId(7), Incarnation(1), Sequence(1), Step(1), 1, 2});
  manifest_.half_steps.push_back({ClientId(7), Incarnation(1), Sequence(2), Step(2), 1, 2});
  Take(0, 1, 1, 4);
  EXPECT_THAT(checker_->Errors(), IsEmpty());
  Take(0, 2, 2, 4);
  Take(1, 2, 2, 4);
  EXPECT_THAT(checker_->Errors(), ElementsAre(HasSubstr("push 2")));
}

}  // namespace
}  // namespace rowhouse

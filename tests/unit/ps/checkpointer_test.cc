#include "ps/checkpointer.h"

#include <gtest/gtest.h>

#include "common/refusal.h"

namespace rowhouse {
namespace {

constexpr uint64_t kTimeoutMs = 1000;
using Kind = CheckpointJob::Kind;

class CheckpointerTest : public testing::Test {
 protected:
  CheckpointPhase phase(uint64_t attempt = 1) {
    EXPECT_TRUE(checkpointer_.Ask(attempt, 0).ok());
    return checkpointer_.Status().phase;
  }
  void Flush() {
    ASSERT_TRUE(checkpointer_.WantsFlush());
    checkpointer_.OnFlushBegun();
    ASSERT_FALSE(checkpointer_.WantsFlush());
    checkpointer_.OnFlushFinished();
  }
  // The next job is of this kind and belongs to `attempt`.
  void ExpectJob(Kind kind, uint64_t attempt = 1) {
    const auto job = checkpointer_.NextJob();
    ASSERT_TRUE(job.has_value());
    EXPECT_EQ(job->kind, kind);
    EXPECT_EQ(job->attempt, attempt);
    EXPECT_FALSE(checkpointer_.NextJob().has_value());  // one at a time
    last_job_ = *job;
  }
  void JobDone(absl::Status status = absl::OkStatus()) {
    checkpointer_.OnJobDone({status, {{"sst-1", "rows/1.sst", 1, 1}}}, announced_, Lsn(50));
  }
  // Brings attempt 1 from its beginning to this phase.
  void BringTo(CheckpointPhase wanted) {
    checkpointer_.Prepare(1, 0);
    if (wanted == CheckpointPhase::kFlushing) return;
    Flush();
    ExpectJob(Kind::kFreeze);
    JobDone();
    if (wanted == CheckpointPhase::kPrepared) return;
    Announce(8);
    if (wanted == CheckpointPhase::kMarked) return;
    checkpointer_.OnAllClosed(Lsn(90), {});
    checkpointer_.OnSynced(Lsn(90));
    if (wanted == CheckpointPhase::kSealed) return;
    ASSERT_TRUE(checkpointer_.Publish({1, "/d"}, 0).ok());
    ExpectJob(Kind::kPublish);
    if (wanted == CheckpointPhase::kPublishing) return;
    JobDone();
    ExpectJob(Kind::kDrop);
    JobDone();
  }
  void Announce(uint64_t mark) {
    announced_ = Mark(mark);
    checkpointer_.OnAnnounced(announced_);
    checkpointer_.OnAsked(announced_);
  }

  Mark announced_{7};
  CheckpointJob last_job_;
  Checkpointer checkpointer_{kTimeoutMs};
};

TEST_F(CheckpointerTest, GoesThroughItsPhases) {
  for (const auto wanted :
       {CheckpointPhase::kFlushing, CheckpointPhase::kPrepared, CheckpointPhase::kMarked,
        CheckpointPhase::kSealed, CheckpointPhase::kPublishing, CheckpointPhase::kPublished}) {
    checkpointer_ = Checkpointer(kTimeoutMs);
    announced_ = Mark(7);
    BringTo(wanted);
    EXPECT_EQ(phase(), wanted);
  }
  const CheckpointStatusAnswer status = checkpointer_.Status();
  EXPECT_EQ(status.watermark, Lsn(50));
  EXPECT_EQ(status.cut, Lsn(90));
  EXPECT_EQ(status.files.size(), 1u);
  EXPECT_TRUE(checkpointer_.idle());
}

TEST_F(CheckpointerTest, AFlushThatRunsAlreadyIsNotTheAttemptsOwn) {
  checkpointer_.Prepare(1, 0);
  checkpointer_.OnFlushFinished();
  EXPECT_TRUE(checkpointer_.WantsFlush());
  EXPECT_FALSE(checkpointer_.NextJob().has_value());
}

TEST_F(CheckpointerTest, MayTakeTheEndOfAFlushThatRuns) {
  checkpointer_.Prepare(1, 0, ImageFlush::kRunning);
  EXPECT_FALSE(checkpointer_.WantsFlush());
  EXPECT_FALSE(checkpointer_.NextJob().has_value());
  checkpointer_.OnFlushFinished();
  EXPECT_TRUE(checkpointer_.HoldsFlush());
  ExpectJob(Kind::kFreeze);
}

TEST_F(CheckpointerTest, AFlushThatRunsAndFailsIsAFailure) {
  checkpointer_.Prepare(1, 0, ImageFlush::kRunning);
  checkpointer_.OnFlushFailed(absl::UnavailableError("full"));
  EXPECT_EQ(phase(), CheckpointPhase::kFailed);
}

TEST_F(CheckpointerTest, MayTakeTheRowsAsTheyAreOnDisk) {
  checkpointer_.Prepare(1, 0, ImageFlush::kNone);
  EXPECT_FALSE(checkpointer_.WantsFlush());
  EXPECT_TRUE(checkpointer_.HoldsFlush());
  ExpectJob(Kind::kFreeze);
  JobDone();
  EXPECT_EQ(phase(), CheckpointPhase::kPrepared);
}

TEST_F(CheckpointerTest, NoFlushBeginsWhileTheImageIsMade) {
  checkpointer_.Prepare(1, 0);
  Flush();
  EXPECT_TRUE(checkpointer_.HoldsFlush());
  ExpectJob(Kind::kFreeze);
  EXPECT_TRUE(checkpointer_.HoldsFlush());
  JobDone();
  EXPECT_FALSE(checkpointer_.HoldsFlush());
}

TEST_F(CheckpointerTest, HoldsTheLogFromTheImageToThePublishing) {
  BringTo(CheckpointPhase::kPublishing);
  EXPECT_EQ(checkpointer_.TrimBound(Lsn(70)), Lsn(50));
  JobDone();
  EXPECT_EQ(checkpointer_.TrimBound(Lsn(70)), Lsn(70));
}

TEST_F(CheckpointerTest, IsSealedOnlyWhenTheLogIsSyncedToTheCut) {
  BringTo(CheckpointPhase::kMarked);
  EXPECT_EQ(checkpointer_.SyncWanted(), std::nullopt);
  checkpointer_.OnAllClosed(Lsn(90), {});
  EXPECT_EQ(checkpointer_.SyncWanted(), Lsn(90));
  checkpointer_.OnSynced(Lsn(89));
  EXPECT_EQ(phase(), CheckpointPhase::kMarked);
  checkpointer_.OnSynced(Lsn(90));
  EXPECT_EQ(phase(), CheckpointPhase::kSealed);
}

TEST_F(CheckpointerTest, AMarkThatTheImageMayHoldIsNotTheCuts) {
  checkpointer_.Prepare(1, 0);
  Announce(8);  // before the image: another driver's
  Flush();
  ExpectJob(Kind::kFreeze);
  Announce(9);
  JobDone();
  EXPECT_EQ(phase(), CheckpointPhase::kPrepared);
  checkpointer_.OnAsked(Mark(9));
  EXPECT_EQ(phase(), CheckpointPhase::kFailed);
  ExpectJob(Kind::kDrop);
}

TEST_F(CheckpointerTest, AHigherMarkTakesTheLowersPlaceUntilPublishing) {
  BringTo(CheckpointPhase::kSealed);
  Announce(9);
  EXPECT_EQ(phase(), CheckpointPhase::kMarked);
  EXPECT_EQ(checkpointer_.mark(), Mark(9));
  checkpointer_.OnAllClosed(Lsn(95), {});
  checkpointer_.OnSynced(Lsn(95));
  ASSERT_TRUE(checkpointer_.Publish({1, "/d"}, 0).ok());
  Announce(10);
  EXPECT_EQ(phase(), CheckpointPhase::kPublishing);
  EXPECT_EQ(checkpointer_.mark(), Mark(9));
}

TEST_F(CheckpointerTest, RepeatedRequestsChangeNothing) {
  BringTo(CheckpointPhase::kMarked);
  checkpointer_.Prepare(1, 0);
  checkpointer_.OnAsked(Mark(8));
  EXPECT_EQ(phase(), CheckpointPhase::kMarked);
  checkpointer_.OnAllClosed(Lsn(90), {});
  checkpointer_.OnSynced(Lsn(90));
  ASSERT_TRUE(checkpointer_.Publish({1, "/d"}, 0).ok());
  ExpectJob(Kind::kPublish);
  EXPECT_TRUE(checkpointer_.Publish({1, "/d"}, 0).ok());
  EXPECT_EQ(ReasonOf(checkpointer_.Publish({1, "/e"}, 0)), RefusalReason::kNoCheckpoint);
  JobDone();
  EXPECT_TRUE(checkpointer_.Publish({1, "/d"}, 0).ok());
}

TEST_F(CheckpointerTest, PublishingBeforeTheSealIsRefused) {
  BringTo(CheckpointPhase::kMarked);
  EXPECT_EQ(ReasonOf(checkpointer_.Publish({1, "/d"}, 0)), RefusalReason::kNoCheckpoint);
  EXPECT_EQ(ReasonOf(checkpointer_.Publish({2, "/d"}, 0)), RefusalReason::kNoCheckpoint);
}

// Every phase, each way out of it: the image goes, the hold goes, and the next attempt works.
class CheckpointerEnds
    : public CheckpointerTest,
      public testing::WithParamInterface<std::tuple<CheckpointPhase, std::string>> {
 protected:
  void Leave(const std::string& how) {
    if (how == "abandon") checkpointer_.Abandon(1);
    if (how == "timeout") checkpointer_.ExpireAt(kTimeoutMs + 1);
    if (how == "stop") checkpointer_.OnStop();
    if (how == "prepare") checkpointer_.Prepare(2, 0);
  }
};

TEST_P(CheckpointerEnds, WithoutLeavingAnything) {
  const auto [from, how] = GetParam();
  BringTo(from);
  const bool publishing = from == CheckpointPhase::kPublishing;
  Leave(how);
  EXPECT_EQ(ReasonOf(checkpointer_.Ask(1, 0)), RefusalReason::kNoCheckpoint);
  EXPECT_EQ(checkpointer_.TrimBound(Lsn(70)), Lsn(70));
  if (publishing) {
    EXPECT_TRUE(last_job_.progress->cancelled);
    EXPECT_FALSE(checkpointer_.idle());
    JobDone(absl::CancelledError("given up"));
  }
  if (from != CheckpointPhase::kFlushing && from != CheckpointPhase::kPublished) {
    ExpectJob(Kind::kDrop);
    JobDone();
  }
  EXPECT_TRUE(checkpointer_.idle());
  checkpointer_.Prepare(2, 0);
  Flush();
  ExpectJob(Kind::kFreeze, 2);
  JobDone();
  EXPECT_EQ(phase(2), CheckpointPhase::kPrepared);
}

INSTANTIATE_TEST_SUITE_P(
    , CheckpointerEnds,
    testing::Combine(testing::Values(CheckpointPhase::kFlushing, CheckpointPhase::kPrepared,
                                     CheckpointPhase::kMarked, CheckpointPhase::kSealed,
                                     CheckpointPhase::kPublishing, CheckpointPhase::kPublished),
                     testing::Values("abandon", "timeout", "stop", "prepare")),
    [](const auto& info) {
      return std::get<1>(info.param) + std::to_string(static_cast<int>(std::get<0>(info.param)));
    });

TEST_F(CheckpointerTest, AnImageThatIsMadeAfterTheEndIsDropped) {
  checkpointer_.Prepare(1, 0);
  Flush();
  ExpectJob(Kind::kFreeze);
  checkpointer_.Prepare(2, 0);
  Flush();
  JobDone();
  ExpectJob(Kind::kDrop, 1);
  JobDone();
  ExpectJob(Kind::kFreeze, 2);
}

TEST_F(CheckpointerTest, ANumberUsedAgainDoesNotTakeTheOldImage) {
  checkpointer_.Prepare(1, 0);
  Flush();
  ExpectJob(Kind::kFreeze);
  checkpointer_.Abandon(1);
  checkpointer_.Prepare(1, 0);
  Flush();
  JobDone();
  ExpectJob(Kind::kDrop);
  JobDone();
  ExpectJob(Kind::kFreeze);
  JobDone();
  EXPECT_EQ(phase(), CheckpointPhase::kPrepared);
}

TEST_F(CheckpointerTest, AFailureIsKeptAndDropsTheImage) {
  BringTo(CheckpointPhase::kPublishing);
  JobDone(absl::ResourceExhaustedError("no space in /d"));
  EXPECT_EQ(phase(), CheckpointPhase::kFailed);
  EXPECT_EQ(checkpointer_.Status().failure, "no space in /d");
  EXPECT_EQ(checkpointer_.TrimBound(Lsn(70)), Lsn(70));
  ExpectJob(Kind::kDrop);
  JobDone();
  EXPECT_TRUE(checkpointer_.idle());
  EXPECT_EQ(ReasonOf(checkpointer_.Publish({1, "/d"}, 0)), RefusalReason::kNoCheckpoint);
}

TEST_F(CheckpointerTest, AFailedFreezeAndAFailedFlushAreFailures) {
  checkpointer_.Prepare(1, 0);
  Flush();
  ExpectJob(Kind::kFreeze);
  JobDone(absl::UnavailableError("io"));
  EXPECT_EQ(phase(), CheckpointPhase::kFailed);
  ExpectJob(Kind::kDrop);
  JobDone();
  checkpointer_.Prepare(2, 0);
  checkpointer_.OnFlushBegun();
  checkpointer_.OnFlushFailed(absl::UnavailableError("disk"));
  EXPECT_EQ(phase(2), CheckpointPhase::kFailed);
  checkpointer_.OnFlushFinished();  // it got through in the end; too late
  EXPECT_FALSE(checkpointer_.NextJob().has_value());
}

TEST_F(CheckpointerTest, AskingKeepsItAlive) {
  BringTo(CheckpointPhase::kMarked);
  ASSERT_TRUE(checkpointer_.Ask(1, kTimeoutMs).ok());
  checkpointer_.ExpireAt(2 * kTimeoutMs);
  EXPECT_TRUE(checkpointer_.alive());
  checkpointer_.ExpireAt(2 * kTimeoutMs + 1);
  EXPECT_FALSE(checkpointer_.alive());
}

}  // namespace
}  // namespace rowhouse

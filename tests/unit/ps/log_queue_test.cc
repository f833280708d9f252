#include "ps/log_queue.h"

#include <gtest/gtest.h>

namespace rowhouse {
namespace {

Lsn Append(LogQueue* queue, Durability durability = Durability::kLog, size_t bytes = 10) {
  LogRecord record;
  record.prefix.resize(bytes);
  return queue->Append(std::move(record), durability);
}

Answer AnswerOf(size_t body_bytes) {
  return {SessionId(1), FrameBuilder(body_bytes).Finish(Op::kOpenClientAnswer, 1), 56};
}

LogOutcome Written(Lsn lsn, absl::Status status = absl::OkStatus()) {
  LogOutcome outcome;
  outcome.status = std::move(status);
  outcome.written = lsn;
  return outcome;
}

// A request of 56 bytes may be answered by 32 KB: its answer must count while it waits.
TEST(LogQueue, CountsTheBytesOfAnswersUntilTheyAreReleased) {
  LogQueue queue;
  queue.Start(Lsn(1), 0);
  queue.Wait(Append(&queue), Durability::kLog, 1, AnswerOf(1000));
  ASSERT_TRUE(queue.NextJob().has_value());
  queue.Wait(Append(&queue), Durability::kLog, 2, AnswerOf(2000));
  EXPECT_EQ(queue.waiting_bytes(), FrameBytes(1000) + FrameBytes(2000));
  EXPECT_EQ(queue.buffered_bytes(), 20u);

  std::vector<Answer> answers;
  queue.Done(Written(Lsn(1)), &answers);
  EXPECT_EQ(answers.size(), 1u);
  EXPECT_EQ(queue.waiting_bytes(), FrameBytes(2000));

  ASSERT_TRUE(queue.NextJob().has_value());
  queue.Done(Written(Lsn(1), absl::UnavailableError("disk full")), &answers);
  EXPECT_EQ(answers.size(), 2u);
  EXPECT_EQ(queue.waiting_bytes(), 0u);
  EXPECT_EQ(queue.buffered_bytes(), 10u) << "the record itself is still to be written";
}

TEST(LogQueue, RecordsThatNobodyWaitsForGatherUntilAWriteIsWorthIt) {
  LogQueue queue;
  queue.Start(Lsn(1), 0);
  Append(&queue, Durability::kMemory, 128 << 10);
  EXPECT_FALSE(queue.NextJob().has_value());
  EXPECT_TRUE(queue.gathering());
  EXPECT_FALSE(queue.idle());
  Append(&queue, Durability::kMemory, 128 << 10);
  EXPECT_FALSE(queue.gathering());
  const std::optional<LogJob> job = queue.NextJob();
  ASSERT_TRUE(job.has_value());
  EXPECT_EQ(job->records.size(), 2u);

  Append(&queue, Durability::kMemory);
  std::vector<Answer> answers;
  queue.Done(Written(Lsn(2)), &answers);
  EXPECT_FALSE(queue.NextJob().has_value()) << "it gathers anew";
  EXPECT_TRUE(queue.gathering());
}

TEST(LogQueue, ARecordThatSomebodyWaitsForTakesThoseWithItThatHaveGathered) {
  for (const Durability durability : {Durability::kLog, Durability::kFsync}) {
    LogQueue queue;
    queue.Start(Lsn(1), 0);
    Append(&queue, Durability::kMemory);
    ASSERT_FALSE(queue.NextJob().has_value());
    Append(&queue, durability);
    const std::optional<LogJob> job = queue.NextJob();
    ASSERT_TRUE(job.has_value());
    EXPECT_EQ(job->records.size(), 2u);
    EXPECT_EQ(job->sync, durability == Durability::kFsync);
  }
}

// A repeated request logs nothing, and is answered when what it stands on is written.
TEST(LogQueue, AnAnswerThatWaitsForAGatheringRecordHasItWritten) {
  LogQueue queue;
  queue.Start(Lsn(1), 0);
  const Lsn lsn = Append(&queue, Durability::kMemory);
  ASSERT_FALSE(queue.NextJob().has_value());
  queue.Wait(lsn, Durability::kLog, 1, AnswerOf(0));
  EXPECT_TRUE(queue.NextJob().has_value());
}

TEST(LogQueue, RecordsGatherNoLongerWhenAWriteOrASyncOfThemIsWanted) {
  LogQueue queue;
  queue.Start(Lsn(1), 0);
  Append(&queue, Durability::kMemory);
  queue.RequestWrite();
  EXPECT_FALSE(queue.gathering());
  ASSERT_TRUE(queue.NextJob().has_value());
  std::vector<Answer> answers;
  queue.Done(Written(Lsn(1)), &answers);

  Append(&queue, Durability::kMemory);
  ASSERT_FALSE(queue.NextJob().has_value());
  queue.RequestSync(Lsn(2));
  const std::optional<LogJob> job = queue.NextJob();
  ASSERT_TRUE(job.has_value());
  EXPECT_EQ(job->records.size(), 1u);
}

TEST(LogQueue, ATrimThatFailedIsDueAgainWhenAskedAndFailsNothingElse) {
  LogQueue queue;
  queue.Start(Lsn(1), 0);
  queue.Wait(Append(&queue), Durability::kLog, 1, AnswerOf(0));
  queue.RequestTrim(Lsn(1));
  ASSERT_TRUE(queue.NextJob().has_value());
  LogOutcome outcome = Written(Lsn(1));
  outcome.trim = absl::UnavailableError("cannot remove");
  std::vector<Answer> answers;
  queue.Done(outcome, &answers);
  EXPECT_EQ(answers.size(), 1u);
  EXPECT_FALSE(queue.failing());
  EXPECT_FALSE(queue.NextJob().has_value()) << "not at once: it would fail again";

  queue.RetryTrim();
  const std::optional<LogJob> job = queue.NextJob();
  ASSERT_TRUE(job.has_value());
  EXPECT_EQ(job->trim_through, Lsn(1));
  queue.Done(Written(Lsn(1)), &answers);
  queue.RetryTrim();
  EXPECT_FALSE(queue.NextJob().has_value());
}

}  // namespace
}  // namespace rowhouse

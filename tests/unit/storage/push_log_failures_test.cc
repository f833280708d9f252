// Writes and syncs of the push log that fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/text.h"
#include "storage/push_log_format.h"
#include "tests/support/forwarding_log_files.h"
#include "tests/unit/storage/push_log_fixture.h"

namespace rowhouse {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Failed writes.

TEST_F(PushLogTest, TornWriteIsTakenBackAndCanBeRetriedAtEveryByte) {
  Open();
  Write(1, 2);
  Sync();
  const uint64_t size = log_->size_bytes();
  Write(3, 5);
  const uint64_t batch_bytes = log_->size_bytes() - size;
  for (uint64_t torn = 0; torn < batch_bytes; ++torn) {
    files_.Remove(Names().at(0)).IgnoreError();
    Open();
    Write(1, 2);
    files_.TearAppendsAfter(torn);
    ASSERT_FALSE(log_->Write(RecordsOf(3, 5)).ok());
    ASSERT_EQ(log_->next_lsn(), Lsn(3));
    ASSERT_EQ(log_->size_bytes(), size);
    ASSERT_EQ(Contents(0).size(), size);
    files_.HealAppends();
    Write(3, 7);
    Open();
    ExpectReplayed(1, 7);
    ASSERT_EQ(log_->cut_message(), "");
  }
}

TEST_F(PushLogTest, TornWriteThatCannotBeTakenBackBlocksUntilItCan) {
  WriteSample();
  files_.TearAppendsAfter(50);
  files_.FailTruncates(true);
  EXPECT_FALSE(log_->Write(RecordsOf(10, 12)).ok());
  files_.HealAppends();
  EXPECT_FALSE(log_->Write(RecordsOf(10, 12)).ok());
  files_.FailTruncates(false);
  Write(10, 12);
  Open();
  ExpectReplayed(1, 12);
  EXPECT_EQ(log_->cut_message(), "");
}

TEST_F(PushLogTest, KilledWithATornBatchInTheFileStartsWithoutIt) {
  WriteSample();
  files_.TearAppendsAfter(200);
  files_.FailTruncates(true);
  EXPECT_FALSE(log_->Write(RecordsOf(10, 12)).ok());
  files_.HealAppends();
  files_.FailTruncates(false);
  Open();
  ExpectReplayed(1, 9);
  EXPECT_THAT(log_->cut_message(), HasSubstr("LSN 10"));
}

TEST_F(PushLogTest, FullDiskIsAnErrorAndTheLogGoesOnLater) {
  WriteSample();
  files_.SetDiskBytesMax(log_->size_bytes() + 100);
  EXPECT_EQ(log_->Write(RecordsOf(10, 40)).code(), absl::StatusCode::kResourceExhausted);
  files_.SetDiskBytesMax(1 << 30);
  Write(10, 40);
  Open();
  ExpectReplayed(1, 40);
}

TEST_F(PushLogTest, FailedFirstWriteOfASegmentCanBeRetried) {
  options_.segment_bytes = 1;
  Open();
  Write(1, 1);
  files_.TearAppendsAfter(10);
  EXPECT_FALSE(log_->Write(RecordsOf(2, 3)).ok());
  files_.HealAppends();
  Write(2, 3);
  EXPECT_THAT(Names(), SizeIs(2));
  Open();
  ExpectReplayed(1, 3);
}

// Failed syncs: what they covered is not on the disk, and the next one says nothing of it.

TEST_F(PushLogTest, AfterAFailedSyncWhatItCoveredIsWrittenAgain) {
  WriteSample();
  files_.FailSyncs(true);
  EXPECT_FALSE(log_->Sync().ok());
  EXPECT_FALSE(log_->Sync().ok());
  Write(10, 12);
  EXPECT_EQ(log_->synced_lsn(), Lsn(6));
  files_.FailSyncs(false);
  Sync();
  EXPECT_EQ(log_->synced_lsn(), Lsn(12));
  files_.DropUnsynced();
  Open();
  ExpectReplayed(1, 12);
}

TEST_F(PushLogTest, AfterAFailedSyncASegmentIsWrittenAgainWithItsHeader) {
  Open();
  Write(1, 3);
  files_.FailSyncs(true);
  EXPECT_FALSE(log_->Sync().ok());
  files_.FailSyncs(false);
  Sync();
  files_.DropUnsynced();
  Open();
  ExpectReplayed(1, 3);
}

TEST_F(PushLogTest, WhatDoesNotReadBackAfterAFailedSyncIsNeverTrusted) {
  WriteSample();
  files_.FailSyncs(true);
  EXPECT_FALSE(log_->Sync().ok());
  files_.FailSyncs(false);
  Contents(0)[tail_offset_ + 60] ^= std::byte{1};
  for (int i = 0; i < 2; ++i) {
    const absl::Status status = log_->Sync();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(Names()[0]), HasSubstr(StrCat("offset ", tail_offset_)),
                      HasSubstr("restart")));
  }
  EXPECT_EQ(log_->synced_lsn(), Lsn(6));
  Open();
  ExpectReplayed(1, 6);
}

// The system's cache outlives the process, and so does what it does not tell.
TEST_F(PushLogTest, AStartWritesAgainWhatNothingKnowsToHaveBeenSynced) {
  WriteSample();
  files_.FailSyncs(true);
  EXPECT_FALSE(log_->Sync().ok());
  files_.FailSyncs(false);
  Open();
  ExpectReplayed(1, 9);
  files_.DropUnsynced();
  Open();
  ExpectReplayed(1, 9);
}

TEST_F(PushLogTest, AStartThatCannotSyncWhatItReadIsRefused) {
  WriteSample();
  files_.FailSyncs(true);
  EXPECT_THAT(std::string(TryOpen().message()), HasSubstr("the sync failed"));
  files_.FailSyncs(false);
  Open();
  ExpectReplayed(1, 9);
}

// Counts the bytes that are written again.
class CountingFiles final : public ForwardingLogFiles {
 public:
  using ForwardingLogFiles::ForwardingLogFiles;
  uint64_t rewritten_bytes = 0;

 private:
  class File final : public ForwardingLogFile {
   public:
    File(std::unique_ptr<LogFile> file, uint64_t* bytes)
        : ForwardingLogFile(std::move(file)), bytes_(bytes) {}
    absl::Status Rewrite(uint64_t offset, std::span<const std::byte> bytes) override {
      *bytes_ += bytes.size();
      return ForwardingLogFile::Rewrite(offset, bytes);
    }

   private:
    uint64_t* const bytes_;
  };
  std::unique_ptr<LogFile> Wrap(std::unique_ptr<LogFile> file) override {
    return std::make_unique<File>(std::move(file), &rewritten_bytes);
  }
};

TEST_F(PushLogTest, AStartWritesNothingAgainThatIsKnownToHaveBeenSynced) {
  WriteSample();  // the last batch vouches for LSN 6
  const uint64_t size = log_->size_bytes();
  const auto rewritten = [this](uint64_t synced) {
    CountingFiles files(&files_);
    const auto log = PushLog::Open(&files, options_, Lsn(0), Lsn(synced),
                                   [](const LogRecord&) { return absl::OkStatus(); });
    EXPECT_TRUE(log.ok()) << log.status();
    return files.rewritten_bytes;
  };
  EXPECT_EQ(rewritten(0), size - tail_offset_);
  EXPECT_EQ(rewritten(9), 0u);
}

}  // namespace
}  // namespace rowhouse

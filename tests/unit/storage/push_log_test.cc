#include "storage/push_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <random>

#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/frame.h"
#include "storage/direct_file.h"
#include "storage/memory_log_files.h"
#include "storage/posix_log_files.h"
#include "storage/push_log_format.h"
#include "tests/support/cached_pages.h"
#include "tests/support/forwarding_log_files.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/storage/test_files.h"

namespace rowhouse {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

// A record whose contents follow from its LSN: bodies of 0 to 40 bytes, prefixes of 0 to 12.
LogRecord RecordOf(uint64_t lsn, size_t body_bytes) {
  const auto body = std::make_shared<std::vector<std::byte>>(body_bytes);
  std::mt19937_64 random(lsn);
  for (std::byte& b : *body) b = static_cast<std::byte>(random());
  LogRecord record;
  record.lsn = Lsn(lsn);
  record.type = lsn % 5 == 0 ? RecordType::kOpenClient : RecordType::kPush;
  record.arrival_ms = 1000 + lsn;
  record.prefix.assign(lsn % 4 * 4, static_cast<std::byte>(lsn));
  record.body = *body;
  record.body_checksum = Checksum(record.body);
  record.owner = body;
  return record;
}

LogRecord RecordOf(uint64_t lsn) { return RecordOf(lsn, lsn * 7 % 41); }

std::vector<LogRecord> RecordsOf(uint64_t first, uint64_t last) {
  std::vector<LogRecord> records;
  for (uint64_t lsn = first; lsn <= last; ++lsn) records.push_back(RecordOf(lsn));
  return records;
}

void ExpectSame(const LogRecord& got, const LogRecord& want) {
  EXPECT_EQ(got.lsn, want.lsn);
  EXPECT_EQ(got.type, want.type);
  EXPECT_EQ(got.arrival_ms, want.arrival_ms);
  EXPECT_EQ(got.prefix, want.prefix);
  EXPECT_EQ(got.body_checksum, want.body_checksum);
  EXPECT_TRUE(std::ranges::equal(got.body, want.body)) << "LSN " << want.lsn;
  EXPECT_EQ(reinterpret_cast<uintptr_t>(got.body.data()) % 8, 0u);
}

// A log over files in memory, and what its last Open replayed.
class PushLogTest : public ::testing::Test {
 protected:
  absl::Status TryOpen(uint64_t watermark = 0, uint64_t synced = 0) {
    log_.reset();
    replayed_.clear();
    auto log =
        PushLog::Open(&files_, options_, Lsn(watermark), Lsn(synced), [&](const LogRecord& record) {
          replayed_.push_back(record);
          return absl::OkStatus();
        });
    if (!log.ok()) return log.status();
    log_ = std::move(*log);
    return absl::OkStatus();
  }
  void Open(uint64_t watermark = 0, uint64_t synced = 0) {
    const absl::Status status = TryOpen(watermark, synced);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Failure(uint64_t watermark = 0, uint64_t synced = 0) {
    const absl::Status status = TryOpen(watermark, synced);
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), StartsWith("push log: "));
    return std::string(status.message());
  }
  void Write(uint64_t first, uint64_t last) {
    const absl::Status status = log_->Write(RecordsOf(first, last));
    ASSERT_TRUE(status.ok()) << status;
  }
  void Sync() { ASSERT_TRUE(log_->Sync().ok()); }
  void ExpectReplayed(uint64_t first, uint64_t last) {
    ASSERT_EQ(replayed_.size(), last + 1 - first);
    for (uint64_t lsn = first; lsn <= last; ++lsn)
      ExpectSame(replayed_[lsn - first], RecordOf(lsn));
  }
  std::vector<std::string> Names() { return files_.List().value(); }
  std::vector<std::byte>& Contents(size_t segment) { return files_.Contents(Names().at(segment)); }

  // Three synced batches (LSN 1, 2-4, 5-6) and an unsynced one (7-9), in one segment.
  void WriteSample() {
    Open();
    Write(1, 1);
    Write(2, 4);
    Write(5, 6);
    Sync();
    tail_offset_ = log_->size_bytes();
    Write(7, 9);
  }

  MemoryLogFiles files_;
  std::vector<RemovedFile> removed_;
  PushLogOptions options_;
  std::unique_ptr<PushLog> log_;
  std::deque<LogRecord> replayed_;
  uint64_t tail_offset_ = 0;
};

TEST_F(PushLogTest, EmptyLogBeginsBehindTheWatermark) {
  Open();
  EXPECT_EQ(log_->next_lsn(), Lsn(1));
  EXPECT_EQ(log_->size_bytes(), 0u);
  Open(41, 41);
  EXPECT_EQ(log_->next_lsn(), Lsn(42));
  EXPECT_EQ(log_->synced_lsn(), Lsn(41));
  EXPECT_TRUE(log_->Sync().ok());
  EXPECT_TRUE(log_->Write({}).ok());
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(PushLogTest, ReopenReplaysTheSameRecords) {
  WriteSample();
  for (int round = 0; round < 3; ++round) {
    Open();
    ExpectReplayed(1, 9);
    EXPECT_EQ(log_->cut_message(), "");
    EXPECT_EQ(log_->next_lsn(), Lsn(10));
    EXPECT_EQ(log_->synced_lsn(), Lsn(9));
  }
}

TEST_F(PushLogTest, AppendsGoOnAfterReopen) {
  WriteSample();
  Open();
  Write(10, 12);
  Open();
  ExpectReplayed(1, 12);
}

TEST_F(PushLogTest, ReplaysOnlyWhatIsAboveTheWatermark) {
  WriteSample();
  for (uint64_t watermark = 0; watermark < 9; ++watermark) {
    Open(watermark);
    ExpectReplayed(watermark + 1, 9);
  }
  Open(9);
  EXPECT_THAT(replayed_, IsEmpty());
}

TEST_F(PushLogTest, BodiesOutliveTheLog) {
  WriteSample();
  Open();
  log_.reset();
  ExpectReplayed(1, 9);
}

TEST_F(PushLogTest, LargeRecordsAndManyRecordsComeBack) {
  Open();
  const std::vector<LogRecord> large = {RecordOf(1, 3 << 20), RecordOf(2, (1 << 20) + 1),
                                        RecordOf(3, 1 << 20)};
  ASSERT_TRUE(log_->Write(large).ok());
  Write(4, 5000);
  Open();
  ASSERT_EQ(replayed_.size(), 5000u);
  for (size_t i = 0; i < large.size(); ++i) ExpectSame(replayed_[i], large[i]);
  for (uint64_t lsn = 4; lsn <= 5000; ++lsn) ExpectSame(replayed_[lsn - 1], RecordOf(lsn));
}

TEST_F(PushLogTest, GoldenBytes) {
  Open();
  LogRecord record;
  record.lsn = Lsn(1);
  record.type = RecordType::kCreateTable;
  record.arrival_ms = 0x0102;
  record.prefix = {std::byte{0xaa}, std::byte{0xbb}, std::byte{0xcc}, std::byte{0xdd}};
  const std::string_view body = "rowhouse!";
  record.body = std::as_bytes(std::span(body.data(), body.size()));
  record.body_checksum = Checksum(record.body);
  ASSERT_TRUE(log_->Write(std::span(&record, 1)).ok());
  EXPECT_THAT(Names(), ElementsAre("log-00000000000000000001.rwlog"));
  std::string hex;
  for (const std::byte b : Contents(0)) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    hex += kDigits[static_cast<size_t>(b) >> 4];
    hex += kDigits[static_cast<size_t>(b) & 15];
  }
  EXPECT_EQ(hex,
            // segment header
            "5257505553484c4702000000200000000100000000000000ce73d57662ea7b82"
            // batch header
            "4254434801000000780000000000000001000000000000000000000000000000f34cc18860ccdd3f"
            // record header
            "5000000000000000010000000000000002010000000000000300000004000000"
            "090000000000000077fcc6b42387cf8f51b479405b5c8e9f"
            // prefix, body
            "aabbccdd00000000"
            "726f77686f7573652100000000000000");
}

TEST_F(PushLogTest, RefusesRecordsThatCouldNotBeReadBack) {
  Open();
  LogRecord record = RecordOf(1);
  record.type = RecordType::kOpenClient;
  record.body_checksum ^= 1;
  EXPECT_EQ(log_->Write(std::span(&record, 1)).code(), absl::StatusCode::kInvalidArgument);
  record = RecordOf(1);
  record.prefix.resize(kPrefixBytesMax + 1);
  EXPECT_EQ(log_->Write(std::span(&record, 1)).code(), absl::StatusCode::kInvalidArgument);
  Write(1, 1);
}

TEST_F(PushLogTest, FailedReplayEndsOpenWithItsStatus) {
  WriteSample();
  const auto log = PushLog::Open(&files_, options_, Lsn(0), Lsn(0), [](const LogRecord& record) {
    return record.lsn == Lsn(3) ? absl::AbortedError("no") : absl::OkStatus();
  });
  EXPECT_EQ(log.status(), absl::AbortedError("no"));
}

// Segments.

TEST_F(PushLogTest, RollsToANewSegmentBeyondItsSize) {
  options_.segment_bytes = 1;
  WriteSample();
  EXPECT_THAT(Names(),
              ElementsAre("log-00000000000000000001.rwlog", "log-00000000000000000002.rwlog",
                          "log-00000000000000000005.rwlog", "log-00000000000000000007.rwlog"));
  Open();
  ExpectReplayed(1, 9);
}

TEST_F(PushLogTest, SegmentIsSyncedBeforeTheNextIsOpened) {
  options_.segment_bytes = 1;
  Open();
  Write(1, 3);
  Write(4, 5);
  EXPECT_EQ(log_->synced_lsn(), Lsn(3));
  files_.FailSyncs(true);
  EXPECT_FALSE(log_->Write(RecordsOf(6, 6)).ok());
  EXPECT_THAT(Names(), SizeIs(2));
  files_.FailSyncs(false);
  Write(6, 6);
  EXPECT_EQ(log_->synced_lsn(), Lsn(5));
  files_.DropUnsynced();
  Open();
  ExpectReplayed(1, 5);
}

TEST_F(PushLogTest, TrimUnlinksWhatLiesWhollyBelowTheWatermark) {
  options_.segment_bytes = 1;
  WriteSample();  // segments 1, 2-4, 5-6, 7-9
  const uint64_t before = log_->size_bytes();
  ASSERT_TRUE(log_->Trim(Lsn(3), &removed_).ok());
  EXPECT_THAT(Names(), SizeIs(3));
  EXPECT_THAT(removed_, SizeIs(1));
  EXPECT_LT(log_->size_bytes(), before);
  ASSERT_TRUE(log_->Trim(Lsn(9), &removed_).ok());
  EXPECT_THAT(Names(), ElementsAre("log-00000000000000000007.rwlog"));
  Write(10, 10);
  Open(9, 9);
  ExpectReplayed(10, 10);
}

TEST_F(PushLogTest, ArchiveKeepsSegments) {
  options_.segment_bytes = 1;
  options_.archive = true;
  WriteSample();
  ASSERT_TRUE(log_->Trim(Lsn(9), &removed_).ok());
  EXPECT_THAT(Names(), SizeIs(4));
}

TEST_F(PushLogTest, MissingSegmentsAreNamed) {
  options_.segment_bytes = 1;
  WriteSample();  // segments 1, 2-4, 5-6, 7-9
  ASSERT_TRUE(files_.Remove("log-00000000000000000005.rwlog").ok());
  EXPECT_THAT(Failure(),
              AllOf(HasSubstr("log-00000000000000000007"), HasSubstr("from LSN 5 to 6")));
  Open(6);  // not needed any more
  ExpectReplayed(7, 9);
  ASSERT_TRUE(files_.Remove("log-00000000000000000001.rwlog").ok());
  EXPECT_THAT(Failure(),
              AllOf(HasSubstr("log-00000000000000000002"), HasSubstr("from LSN 1 to 1")));
  ASSERT_TRUE(files_.Remove("log-00000000000000000007.rwlog").ok());
  EXPECT_THAT(Failure(6), HasSubstr("LSN 6 is known to have been synced"));
  ASSERT_TRUE(files_.Remove("log-00000000000000000002.rwlog").ok());
  EXPECT_THAT(Failure(6, 9), HasSubstr("holds no log segment"));
}

TEST_F(PushLogTest, OtherFilesAreNotSegments) {
  WriteSample();
  for (const auto name : {"log-1.rwlog", "log-0000000000000000000x.rwlog", "README"}) {
    ASSERT_TRUE(files_.Create(name).ok());
  }
  Open();
  ExpectReplayed(1, 9);
}

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

// Tails and damage.

TEST_F(PushLogTest, PowerLossKeepsWhatWasSynced) {
  WriteSample();
  files_.DropUnsynced();
  Open();
  ExpectReplayed(1, 6);
  EXPECT_EQ(log_->cut_message(), "");
}

TEST_F(PushLogTest, TornTailIsCutAtEveryByteOfTheLastBatch) {
  WriteSample();
  const auto whole = Contents(0);
  for (uint64_t size = tail_offset_ + 1; size < whole.size(); ++size) {
    Contents(0).assign(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    Open();
    ExpectReplayed(1, 6);
    ASSERT_THAT(log_->cut_message(), AllOf(HasSubstr(Names()[0]), HasSubstr("LSN 7"),
                                           HasSubstr(StrCat("cut at offset ", tail_offset_))));
    ASSERT_EQ(Contents(0).size(), tail_offset_);
    Write(7, 8);
    Open();
    ExpectReplayed(1, 8);
    ASSERT_EQ(log_->cut_message(), "");
  }
}

TEST_F(PushLogTest, TornTailWithLostPagesIsCutAndWholeRecordsBehindItCounted) {
  WriteSample();
  Write(10, 13);  // two unsynced batches, each vouching for LSN 6
  auto& bytes = Contents(0);
  std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(tail_offset_), sizeof(BatchHeader),
              std::byte{0});
  Open();
  ExpectReplayed(1, 6);
  EXPECT_THAT(log_->cut_message(), HasSubstr("7 whole records"));
}

TEST_F(PushLogTest, SyncedArgumentTurnsATornTailIntoDamage) {
  WriteSample();
  Contents(0).back() ^= std::byte{1};
  for (const uint64_t synced : {7, 8, 9}) {
    EXPECT_THAT(Failure(0, synced),
                AllOf(HasSubstr(Names()[0]), HasSubstr("offset"),
                      HasSubstr("damage, not a torn tail"), HasSubstr("backup")));
  }
  Open(0, 6);
  ExpectReplayed(1, 6);
}

TEST_F(PushLogTest, LaterBatchHeaderTurnsATornTailIntoDamage) {
  WriteSample();
  Sync();
  Write(10, 10);  // says that 9 was synced
  Contents(0)[tail_offset_ + 60] ^= std::byte{1};
  EXPECT_THAT(Failure(), AllOf(HasSubstr("LSN 7"), HasSubstr("up to LSN 9")));
}

TEST_F(PushLogTest, DamageInAnEarlierSegmentIsNeverATornTail) {
  options_.segment_bytes = 1;
  WriteSample();
  Contents(1).back() ^= std::byte{1};
  EXPECT_THAT(Failure(),
              AllOf(HasSubstr("log-00000000000000000002"), HasSubstr("before the next one")));
  Open(4);  // not needed any more
  ExpectReplayed(5, 9);
}

TEST_F(PushLogTest, LogThatEndsBelowASyncedLsnIsAnError) {
  WriteSample();
  Contents(0).resize(tail_offset_);
  EXPECT_THAT(Failure(0, 7), AllOf(HasSubstr("ends with LSN 6"), HasSubstr("LSN 7")));
  EXPECT_THAT(Failure(8), AllOf(HasSubstr("ends with LSN 6"), HasSubstr("LSN 8")));
}

TEST_F(PushLogTest, TrailingZerosAreAnEnd) {
  for (const size_t zeros : {1, 7, 8, 39, 40, 4096, 3 << 20}) {
    files_.Remove("log-00000000000000000001.rwlog").IgnoreError();
    WriteSample();
    Contents(0).resize(Contents(0).size() + zeros);
    Open();
    ExpectReplayed(1, 9);
    EXPECT_EQ(log_->cut_message(), "");
    Write(10, 11);
    Open();
    ExpectReplayed(1, 11);
  }
}

TEST_F(PushLogTest, ZerosInPlaceOfSyncedRecordsAreAnError) {
  WriteSample();
  auto& bytes = Contents(0);
  std::fill(bytes.begin() + static_cast<ptrdiff_t>(tail_offset_), bytes.end(), std::byte{0});
  EXPECT_THAT(Failure(0, 9), HasSubstr("ends with LSN 6"));
  Open(0, 6);
  ExpectReplayed(1, 6);
}

TEST_F(PushLogTest, SegmentWithoutAWholeHeaderIsAnEmptyTail) {
  options_.segment_bytes = 1;
  WriteSample();
  const auto whole = Contents(3);
  for (size_t size = 0; size < sizeof(SegmentHeader); ++size) {
    Contents(3).assign(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    Open();
    ExpectReplayed(1, 6);
    Write(7, 9);
    ASSERT_THAT(Names(), SizeIs(4));
    Open();
    ExpectReplayed(1, 9);
  }
}

// Whatever single byte of a synced log changes: an error, never other records.
TEST_F(PushLogTest, FlippedByteAnywhereInASyncedLogIsAnError) {
  for (const uint64_t segment_bytes : {uint64_t{1}, uint64_t{1} << 20}) {
    for (const std::string& name : Names()) ASSERT_TRUE(files_.Remove(name).ok());
    options_.segment_bytes = segment_bytes;
    WriteSample();
    Sync();
    for (size_t segment = 0; segment < Names().size(); ++segment) {
      auto& bytes = Contents(segment);
      for (size_t at = 0; at < bytes.size(); ++at) {
        for (const auto bit : {std::byte{1}, std::byte{0x80}}) {
          bytes[at] ^= bit;
          const std::string message = Failure(0, 9);
          EXPECT_THAT(message, HasSubstr(Names()[segment])) << at;
          EXPECT_THAT(message, HasSubstr("offset")) << at;
          bytes[at] ^= bit;
        }
      }
    }
    Open(0, 9);
    ExpectReplayed(1, 9);
  }
}

// Without anybody who knows what was synced: an error, or a shorter log that says so.
TEST_F(PushLogTest, FlippedByteIsNeverSilentlyWrong) {
  WriteSample();
  const auto whole = Contents(0);
  int cuts = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    Contents(0) = whole;
    Contents(0)[at] ^= std::byte{4};
    if (!TryOpen().ok()) continue;
    ++cuts;
    ASSERT_NE(log_->cut_message(), "") << at;
    ASSERT_GE(at, tail_offset_);  // the last batch says that those before it were synced
    ExpectReplayed(1, 6);
  }
  EXPECT_EQ(cuts, static_cast<int>(whole.size() - tail_offset_));
}

TEST_F(PushLogTest, NewerFormatIsRefusedWithAdvice) {
  WriteSample();
  SegmentHeader header;
  std::memcpy(&header, Contents(0).data(), sizeof(header));
  header.format = kLogFormat + 1;
  header.checksum = ChecksumOf(header);
  std::memcpy(Contents(0).data(), &header, sizeof(header));
  const absl::Status status = TryOpen();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(Names()[0]), HasSubstr(StrCat("format ", kLogFormat + 1)),
                    HasSubstr("run the newer Rowhouse")));
}

constexpr size_t kLargeBytes = 200'000;

TEST_F(PushLogTest, LargeBatchesEndWithABlock) {
  Open();
  uint64_t lsn = 1;
  for (const size_t body_bytes : {kLargeBytes, kLargeBytes, size_t{40}, kLargeBytes, size_t{5}}) {
    const LogRecord record = RecordOf(lsn++, body_bytes);
    const uint64_t before = log_->size_bytes();
    ASSERT_TRUE(log_->Write({&record, 1}).ok());
    if (body_bytes == kLargeBytes) {
      EXPECT_EQ(log_->size_bytes() % kLogBlockBytes, 0u);
    } else {
      EXPECT_LT(log_->size_bytes() - before, kLogBlockBytes);
    }
    EXPECT_EQ(Contents(0).size(), log_->size_bytes());
  }
  EXPECT_EQ(Checksum(Contents(0)), 6571291129323817445u)
      << "the format has changed: raise kLogFormat";
  Open();
  ASSERT_EQ(replayed_.size(), 5u);
  ExpectSame(replayed_[3], RecordOf(4, kLargeBytes));
  ExpectSame(replayed_[4], RecordOf(5, 5));
}

TEST_F(PushLogTest, FillThatIsNotZeroIsDamage) {
  Open();
  const LogRecord records[] = {RecordOf(1, kLargeBytes), RecordOf(2, kLargeBytes)};
  ASSERT_TRUE(log_->Write({&records[0], 1}).ok());
  const uint64_t second = log_->size_bytes();
  ASSERT_TRUE(log_->Write({&records[1], 1}).ok());
  ASSERT_EQ(Contents(0).back(), std::byte{0});
  const auto whole = Contents(0);
  Contents(0).back() = std::byte{1};
  Open();
  ExpectSame(replayed_.back(), records[0]);
  EXPECT_EQ(log_->size_bytes(), second);
  EXPECT_THAT(log_->cut_message(), HasSubstr("fills a batch up to a block is damaged"));

  Contents(0) = whole;
  Contents(0).pop_back();
  Open();
  EXPECT_EQ(log_->size_bytes(), second);
  EXPECT_THAT(log_->cut_message(), HasSubstr("the file ends within a batch"));

  // A block more, which the header speaks of.
  Contents(0) = whole;
  BatchHeader header;
  std::memcpy(&header, Contents(0).data() + second, sizeof(header));
  header.batch_bytes += kLogBlockBytes;
  header.checksum = ChecksumOf(header);
  std::memcpy(Contents(0).data() + second, &header, sizeof(header));
  Contents(0).resize(whole.size() + kLogBlockBytes);
  Open();
  EXPECT_EQ(log_->size_bytes(), second);
  EXPECT_THAT(log_->cut_message(), HasSubstr("not that of its records"));
}

TEST_F(PushLogTest, ABatchThatIsSmallerThanItsHeaderIsDamage) {
  WriteSample();
  BatchHeader header;
  std::byte* const at = Contents(0).data() + tail_offset_;
  std::memcpy(&header, at, sizeof(header));
  header.record_count = 0;
  header.batch_bytes = 8;
  header.checksum = ChecksumOf(header);
  std::memcpy(at, &header, sizeof(header));
  Open();
  EXPECT_THAT(log_->cut_message(), HasSubstr("not that of its records"));
}

TEST_F(PushLogTest, LargeBatchesAreWrittenAgainAfterASyncThatFailed) {
  Open();
  const LogRecord records[] = {RecordOf(1, kLargeBytes), RecordOf(2, kLargeBytes)};
  ASSERT_TRUE(log_->Write({&records[0], 1}).ok());
  ASSERT_TRUE(log_->Write({&records[1], 1}).ok());
  files_.FailSyncs(true);
  ASSERT_FALSE(log_->Sync().ok());
  files_.FailSyncs(false);
  Sync();
  const uint64_t size_bytes = log_->size_bytes();
  files_.DropUnsynced();
  Open();
  EXPECT_EQ(log_->size_bytes(), size_bytes);
  ASSERT_EQ(replayed_.size(), 2u);
  ExpectSame(replayed_[1], records[1]);
}

// An older build reads what is appended, as long as the segment says that it can.
TEST_F(PushLogTest, ASegmentOfFormat1GoesOnWithoutFill) {
  const auto header = [this] {
    SegmentHeader header;
    std::memcpy(&header, Contents(0).data(), sizeof(header));
    return header;
  };
  Open();
  Write(1, 9);  // one batch, so nothing vouches for it: all of it is written again at a start
  const SegmentHeader old = MakeSegmentHeader(Lsn(1), 1);
  std::memcpy(Contents(0).data(), &old, sizeof(old));
  Open();
  EXPECT_EQ(header().format, 1u);
  const LogRecord large = RecordOf(10, kLargeBytes);
  ASSERT_TRUE(log_->Write({&large, 1}).ok());
  EXPECT_NE(log_->size_bytes() % kLogBlockBytes, 0u);
  Open();
  EXPECT_EQ(header().format, 1u);
  ASSERT_EQ(replayed_.size(), 10u);
  ExpectSame(replayed_.back(), large);

  options_.segment_bytes = 1;
  Open();
  const LogRecord next = RecordOf(11, kLargeBytes);
  ASSERT_TRUE(log_->Write({&next, 1}).ok());
  EXPECT_EQ(Contents(1).size() % kLogBlockBytes, 0u);
}

TEST_F(PushLogTest, ASegmentWhoseHeaderWasTornIsBegunAnewInThePresentFormat) {
  WriteSample();
  Contents(0).resize(sizeof(SegmentHeader) - 1);
  Open();
  EXPECT_THAT(replayed_, IsEmpty());
  const LogRecord large = RecordOf(1, kLargeBytes);
  ASSERT_TRUE(log_->Write({&large, 1}).ok());
  EXPECT_EQ(log_->size_bytes() % kLogBlockBytes, 0u);
  Open();
  ASSERT_EQ(replayed_.size(), 1u);
  ExpectSame(replayed_.back(), large);
}

// A block written through the page cache is written by itself at the next sync: 64 of them, one for
// each large push, made the sync of a segment take 10 to 25 ms.
TEST(PushLogOnDisk, LargeBatchesLeaveNothingInThePageCache) {
  TempDir dir;
  const auto files = OpenPosixLogFiles(dir.path(), LogWrites::kDirect).value();
  auto log = PushLog::Open(files.get(), {}, Lsn(0), Lsn(0), [](const LogRecord&) {
               return absl::OkStatus();
             }).value();
  for (uint64_t lsn = 1; lsn <= 3; ++lsn) {
    const LogRecord record = RecordOf(lsn, kLargeBytes);
    ASSERT_TRUE(log->Write({&record, 1}).ok());
  }
  const std::string path = PathIn(dir, files->List().value().at(0));
  if (DirectFile::Open(path) == nullptr) GTEST_SKIP() << "no O_DIRECT here";
  EXPECT_EQ(CachedPages(path, log->size_bytes()), 0u);
}

TEST_F(PushLogTest, BatchWithALsnThatDoesNotFollowIsAnError) {
  WriteSample();
  BatchHeader header;
  std::byte* const at = Contents(0).data() + tail_offset_;
  std::memcpy(&header, at, sizeof(header));
  header.first_lsn = Lsn(8);
  header.checksum = ChecksumOf(header);
  std::memcpy(at, &header, sizeof(header));
  EXPECT_THAT(Failure(),
              AllOf(HasSubstr(StrCat("offset ", tail_offset_)), HasSubstr("LSN 8 where LSN 7")));
}

TEST_F(PushLogTest, RenamedSegmentIsAnError) {
  WriteSample();
  const auto bytes = Contents(0);
  ASSERT_TRUE(files_.Remove(Names()[0]).ok());
  ASSERT_TRUE(files_.Create(SegmentName(Lsn(5))).ok());
  Contents(0) = bytes;
  EXPECT_THAT(Failure(4), AllOf(HasSubstr("begins with LSN 1"), HasSubstr("named for LSN 5")));
}

// Sizes that lie, with checksums made right: no allocation beyond the file, no crash.
TEST_F(PushLogTest, ForgedSizesAreDamage) {
  WriteSample();
  const auto whole = Contents(0);
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    Contents(0) = whole;
    BatchHeader batch;
    std::byte* const at = Contents(0).data() + tail_offset_;
    std::memcpy(&batch, at, sizeof(batch));
    RecordHeader record;
    std::memcpy(&record, at + sizeof(batch), sizeof(record));
    const uint64_t wild = random() >> random() % 64;
    if (i % 2 == 0) batch.batch_bytes = wild;
    if (i % 3 == 0) batch.record_count = static_cast<uint32_t>(wild);
    if (i % 5 == 0) record.body_bytes = wild;
    if (i % 7 == 0) record.prefix_bytes = static_cast<uint32_t>(wild % 5000);
    record.record_bytes =
        sizeof(RecordHeader) + PaddedTo8(record.prefix_bytes) + PaddedTo8(record.body_bytes);
    batch.checksum = ChecksumOf(batch);
    const size_t prefix_bytes = std::min<size_t>(
        record.prefix_bytes, Contents(0).size() - tail_offset_ - sizeof(batch) - sizeof(record));
    record.checksum = ChecksumOf(record, {at + sizeof(batch) + sizeof(record), prefix_bytes});
    std::memcpy(at, &batch, sizeof(batch));
    std::memcpy(at + sizeof(batch), &record, sizeof(record));
    if (!TryOpen().ok()) continue;
    ASSERT_TRUE(replayed_.size() == 6 || replayed_.size() == 9) << i;
  }
}

TEST(PushLogDeathTest, GapInWrittenLsnsIsABug) {
  MemoryLogFiles files;
  const auto log =
      PushLog::Open(&files, {}, Lsn(0), Lsn(0), [](const LogRecord&) { return absl::OkStatus(); });
  EXPECT_DEATH(log.value()->Write(RecordsOf(2, 2)).IgnoreError(), "LSNs must follow");
}

TEST(PushLogOnDisk, ReopenGivesTheSameRecordsAndBytes) {
  TempDir dir;
  std::string bytes;
  std::vector<LogRecord> replayed;
  for (uint64_t round = 0; round < 3; ++round) {
    const auto files = OpenPosixLogFiles(PathIn(dir, "log")).value();
    replayed.clear();
    auto log = PushLog::Open(files.get(), {.segment_bytes = 5000}, Lsn(0), Lsn(round * 100),
                             [&](const LogRecord& record) {
                               replayed.push_back(record);
                               return absl::OkStatus();
                             });
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_EQ(replayed.size(), round * 100);
    for (uint64_t i = 0; i < replayed.size(); ++i) ExpectSame(replayed[i], RecordOf(i + 1));
    if (round > 0) {
      EXPECT_EQ(ReadTextFile(PathIn(dir, "log/" + SegmentName(Lsn(1)))), bytes);
    }
    for (uint64_t first = round * 100 + 1; first < round * 100 + 100; first += 10) {
      ASSERT_TRUE((*log)->Write(RecordsOf(first, first + 9)).ok());
    }
    ASSERT_TRUE((*log)->Sync().ok());
    bytes = ReadTextFile(PathIn(dir, "log/" + SegmentName(Lsn(1))));
  }
  EXPECT_GT(bytes.size(), 5000u);
}

}  // namespace
}  // namespace rowhouse

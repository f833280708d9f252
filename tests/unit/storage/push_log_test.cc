#include "storage/push_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/wire/frame.h"
#include "storage/memory_log_files.h"
#include "storage/posix_log_files.h"
#include "storage/push_log_format.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/storage/push_log_fixture.h"
#include "tests/unit/storage/test_files.h"

namespace rowhouse {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

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

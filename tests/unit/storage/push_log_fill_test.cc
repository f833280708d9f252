// Large batches of the push log end with a block (format 2).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "common/wire/frame.h"
#include "storage/direct_file.h"
#include "storage/posix_log_files.h"
#include "storage/push_log_format.h"
#include "tests/support/cached_pages.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/storage/push_log_fixture.h"
#include "tests/unit/storage/test_files.h"

namespace rowhouse {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

}  // namespace
}  // namespace rowhouse

// What a push log makes of torn tails and of damage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "common/text.h"
#include "common/wire/frame.h"
#include "storage/push_log_format.h"
#include "tests/unit/storage/push_log_fixture.h"

namespace rowhouse {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

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

}  // namespace
}  // namespace rowhouse

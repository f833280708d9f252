#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "common/wire/frame.h"
#include "ps/shard_storage.h"
#include "storage/memory_log_files.h"

namespace rowhouse {
namespace {

constexpr uint64_t kSegmentBytes = 1000;

// A log of small segments on a disk whose size can be set.
class LogJobTest : public testing::Test {
 protected:
  void SetUp() override {
    PushLogOptions options;
    options.segment_bytes = kSegmentBytes;
    auto log = PushLog::Open(&files_, options, Lsn(0), Lsn(0),
                             [](const LogRecord&) { return absl::OkStatus(); });
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }

  std::vector<LogRecord> Record(uint64_t lsn) const {
    LogRecord record;
    record.lsn = Lsn(lsn);
    record.type = RecordType::kPush;
    record.body = body_;
    record.body_checksum = Checksum(record.body);
    return {record};
  }

  LogOutcome Write(uint64_t lsn, Lsn trim_through = Lsn(0)) {
    const std::vector<LogRecord> records = Record(lsn);
    return RunLogJob({records, false, trim_through}, log_.get());
  }

  const std::vector<std::byte> body_ = std::vector<std::byte>(kSegmentBytes);
  MemoryLogFiles files_;
  std::unique_ptr<PushLog> log_;
};

// Nobody else may free anything: were the trim lost with the write, the disk would stay full.
TEST_F(LogJobTest, OnAFullDiskATrimMakesRoomForTheRecordsBesideIt) {
  for (uint64_t lsn = 1; lsn <= 3; ++lsn) ASSERT_TRUE(Write(lsn).status.ok());
  files_.SetDiskBytesMax(log_->size_bytes());
  ASSERT_FALSE(Write(4).status.ok());

  const LogOutcome outcome = Write(4, Lsn(2));
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(outcome.written, Lsn(4));
}

TEST_F(LogJobTest, ATrimIsDoneWhereTheWriteFailsAllTheSame) {
  for (uint64_t lsn = 1; lsn <= 3; ++lsn) ASSERT_TRUE(Write(lsn).status.ok());
  const uint64_t before = log_->size_bytes();
  files_.TearAppendsAfter(0);

  const LogOutcome outcome = Write(4, Lsn(2));
  EXPECT_FALSE(outcome.status.ok());
  EXPECT_EQ(outcome.written, Lsn(3));
  EXPECT_LT(outcome.log_bytes, before);
}

// A segment that cannot be unlinked keeps nobody from pushing.
TEST_F(LogJobTest, ATrimThatFailsFailsNothingElse) {
  for (uint64_t lsn = 1; lsn <= 3; ++lsn) ASSERT_TRUE(Write(lsn).status.ok());
  files_.FailRemoves(true);
  LogOutcome outcome = Write(4, Lsn(2));
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_FALSE(outcome.trim.ok());
  EXPECT_TRUE(outcome.removed.empty());
  EXPECT_EQ(outcome.written, Lsn(4));
  const uint64_t before = outcome.log_bytes;

  files_.FailRemoves(false);
  outcome = RunLogJob({{}, false, Lsn(2)}, log_.get());
  EXPECT_TRUE(outcome.trim.ok()) << outcome.trim;
  EXPECT_FALSE(outcome.removed.empty());
  EXPECT_LT(outcome.log_bytes, before);
}

}  // namespace
}  // namespace rowhouse

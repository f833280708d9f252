#include "storage/checkpoint_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <memory>

#include "common/checkpoint_manifest.h"
#include "common/wire/frame.h"
#include "storage/checksum_cache.h"
#include "storage/memory_log_files.h"
#include "storage/posix_log_files.h"
#include "storage/push_log.h"
#include "tests/unit/storage/test_files.h"

namespace rowhouse {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class LogPartsTest : public testing::Test {
 protected:
  LogPartsTest() {
    PushLogOptions options;
    options.segment_bytes = 400;  // about two records a segment
    auto log = PushLog::Open(&files_, options, Lsn(0), Lsn(0),
                             [](const LogRecord&) { return absl::OkStatus(); });
    EXPECT_TRUE(log.ok()) << log.status();
    log_ = std::move(*log);
    for (uint64_t lsn = 1; lsn <= 10; ++lsn) Write(lsn);
  }

  void Write(uint64_t lsn) {
    LogRecord record;
    record.lsn = Lsn(lsn);
    record.type = RecordType::kAnnounceMark;
    record.body = body_;
    record.body_checksum = Checksum(record.body);
    ASSERT_TRUE(log_->Write({&record, 1}).ok());
  }
  // LSNs that a log made of the parts holds above `watermark`.
  std::vector<uint64_t> Records(const std::vector<LogPart>& parts, uint64_t watermark) {
    MemoryLogFiles copy;
    for (const LogPart& part : parts) {
      const auto bytes = files_.Read(part.name, 0, part.bytes);
      const std::span<const std::byte> piece(*bytes);
      EXPECT_TRUE((*copy.Create(part.name))->Append({&piece, 1}).ok());
    }
    std::vector<uint64_t> lsns;
    const auto log =
        PushLog::Open(&copy, {}, Lsn(watermark), Lsn(watermark), [&](const LogRecord& record) {
          lsns.push_back(record.lsn.value());
          return absl::OkStatus();
        });
    EXPECT_TRUE(log.ok()) << log.status();
    EXPECT_EQ((*log)->cut_message(), "");
    return lsns;
  }

  const std::vector<std::byte> body_ = std::vector<std::byte>(96);
  MemoryLogFiles files_;
  std::vector<RemovedFile> removed_;
  std::unique_ptr<PushLog> log_;
};

TEST_F(LogPartsTest, HoldEverythingFromTheWatermarkToTheCut) {
  for (uint64_t watermark = 0; watermark < 10; ++watermark) {
    for (uint64_t cut = watermark + 1; cut <= 10; ++cut) {
      const auto parts = FindLogParts(files_, Lsn(watermark), Lsn(cut));
      ASSERT_TRUE(parts.ok()) << parts.status();
      const std::vector<uint64_t> lsns = Records(*parts, watermark);
      ASSERT_THAT(lsns, SizeIs(cut - watermark));
      EXPECT_EQ(lsns.front(), watermark + 1);
      EXPECT_EQ(lsns.back(), cut);
    }
  }
}

TEST_F(LogPartsTest, AreClosedButForTheOneWithTheCut) {
  const auto parts = FindLogParts(files_, Lsn(0), Lsn(9));
  ASSERT_TRUE(parts.ok());
  ASSERT_GT(parts->size(), 1u);
  for (size_t i = 0; i < parts->size(); ++i) EXPECT_EQ((*parts)[i].closed, i + 1 < parts->size());
}

TEST_F(LogPartsTest, AreNoneWhereTheRowsHaveEverything) {
  EXPECT_THAT(*FindLogParts(files_, Lsn(10), Lsn(10)), SizeIs(0));
  EXPECT_THAT(*FindLogParts(MemoryLogFiles(), Lsn(0), Lsn(0)), SizeIs(0));
}

TEST_F(LogPartsTest, MustAllBeThere) {
  ASSERT_TRUE(log_->Trim(Lsn(6), &removed_).ok());
  EXPECT_TRUE(FindLogParts(files_, Lsn(6), Lsn(9)).ok());
  EXPECT_EQ(FindLogParts(files_, Lsn(1), Lsn(9)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(FindLogParts(files_, Lsn(6), Lsn(11)).status().code(), absl::StatusCode::kDataLoss);
}

class PublishTest : public testing::Test {
 protected:
  PublishTest() {
    WriteTextFile(PathIn(shard_, "7.sst"), std::string(3 << 20, 'r'));
    WriteTextFile(PathIn(shard_, "CURRENT"), "MANIFEST-1\n");
    rows_ = {{"7.sst", PathIn(shard_, "7.sst")}, {"CURRENT", PathIn(shard_, "CURRENT")}};
    const std::string text = "log bytes, and more";
    const std::span<const std::byte> piece = std::as_bytes(std::span(text));
    EXPECT_TRUE((*log_.Create("log-1"))->Append({&piece, 1}).ok());
  }

  std::vector<CheckpointFile> Publish() {
    progress_ = std::make_unique<PublishProgress>();
    const auto files =
        PublishFiles(target_.path(), rows_, log_, {{"log-1", 9}}, progress_.get(), &checksums_);
    EXPECT_TRUE(files.ok()) << files.status();
    return files.ok() ? *files : std::vector<CheckpointFile>();
  }
  std::string PathOf(const CheckpointFile& file) { return target_.path() + "/files/" + file.name; }
  void WriteManifest(const std::vector<CheckpointFile>& files) {
    CheckpointManifest manifest;
    manifest.mark = Mark(7);
    manifest.timeline = Timeline(1);
    manifest.shard_count = 1;
    manifest.slot_bits = 14;
    manifest.shards = {{ShardId(0), Lsn(1), Lsn(2), files}};
    WriteTextFile(target_.path() + "/" + ManifestName(Mark(7)), EncodeManifest(manifest));
  }

  TempDir shard_;
  TempDir target_;
  std::vector<FrozenFile> rows_;
  MemoryLogFiles log_;
  std::unique_ptr<PublishProgress> progress_;
  ChecksumCache checksums_;
};

TEST_F(PublishTest, NamesFilesByTheirContentAndLinksRows) {
  const auto files = Publish();
  ASSERT_THAT(files, SizeIs(3));
  EXPECT_EQ(files[0].original, "rows/7.sst");
  EXPECT_EQ(files[1].original, "rows/CURRENT");
  EXPECT_EQ(files[2].original, "log/log-1");
  EXPECT_EQ(ReadTextFile(PathOf(files[0])), std::string(3 << 20, 'r'));
  EXPECT_EQ(ReadTextFile(PathOf(files[1])), "MANIFEST-1\n");
  EXPECT_EQ(ReadTextFile(PathOf(files[2])), "log bytes");
  EXPECT_TRUE(fs::equivalent(PathOf(files[0]), rows_[0].path));
  EXPECT_FALSE(fs::equivalent(PathOf(files[1]), rows_[1].path));
  EXPECT_EQ(progress_->bytes_done, progress_->bytes_total);
  EXPECT_EQ(progress_->bytes_total, (3u << 20) + 11 + 9);
  for (const CheckpointFile& file : files) {
    const std::string bytes = ReadTextFile(PathOf(file));
    EXPECT_EQ(file.bytes, bytes.size());
    EXPECT_EQ(file.checksum, Checksum(std::as_bytes(std::span(bytes))));
  }
}

TEST_F(PublishTest, LinksSegmentsThatAreClosedAndCopiesTheOneThatGrows) {
  WriteTextFile(PathIn(shard_, "log-1"), "closed");
  WriteTextFile(PathIn(shard_, "log-2"), "open, up to here and beyond");
  const auto log = OpenPosixLogFiles(shard_.path());
  ASSERT_TRUE(log.ok());
  PublishProgress progress;
  const auto files = PublishFiles(target_.path(), {}, **log,
                                  {{"log-1", 6, true}, {"log-2", 16, false}}, &progress);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(std::filesystem::hard_link_count(PathOf((*files)[0])), 2u);
  EXPECT_EQ(std::filesystem::hard_link_count(PathOf((*files)[1])), 1u);
  EXPECT_EQ(std::filesystem::file_size(PathOf((*files)[1])), 16u);
}

TEST_F(PublishTest, WhatAManifestNamesIsNotSentAgain) {
  const auto files = Publish();
  WriteManifest(files);
  const auto written = fs::last_write_time(PathOf(files[1])) - std::chrono::hours(1);
  fs::last_write_time(PathOf(files[1]), written);
  EXPECT_EQ(Publish().size(), 3u);
  EXPECT_EQ(fs::last_write_time(PathOf(files[1])), written);
  EXPECT_EQ(progress_->bytes_done, progress_->bytes_total);
}

// Read twice: for the checksum and for the copy. A dead attempt's manifest is none.
constexpr uint64_t kSmallFilesRead = 2 * (11 + 9);

TEST_F(PublishTest, ReadsAFileThatNeverChangesOnce) {
  Publish();
  EXPECT_EQ(progress_->bytes_read, (3u << 20) + kSmallFilesRead);
  EXPECT_EQ(progress_->bytes_written, 11u + 9u);
  EXPECT_EQ(Publish().size(), 3u);
  EXPECT_EQ(progress_->bytes_read, kSmallFilesRead);
  WriteTextFile(PathIn(shard_, "8.sst"), std::string(1000, 'n'));
  rows_.push_back({"8.sst", PathIn(shard_, "8.sst")});
  const auto files = Publish();
  ASSERT_THAT(files, SizeIs(4));
  EXPECT_EQ(progress_->bytes_read, 1000 + kSmallFilesRead);
  for (const CheckpointFile& file : files) {
    const std::string bytes = ReadTextFile(PathOf(file));
    EXPECT_EQ(file.checksum, Checksum(std::as_bytes(std::span(bytes))));
  }
}

TEST_F(PublishTest, AFileOfTheSameNameThatIsAnotherIsRead) {
  const CheckpointFile before = Publish()[0];
  fs::remove(rows_[0].path);
  WriteTextFile(rows_[0].path, std::string(3 << 20, 's'));
  const CheckpointFile after = Publish()[0];
  EXPECT_NE(after.checksum, before.checksum);
  EXPECT_EQ(ReadTextFile(PathOf(after)), std::string(3 << 20, 's'));
}

TEST_F(PublishTest, WhatAManifestNamesIsNeitherReadNorWritten) {
  WriteManifest(Publish());
  const uint64_t manifest_bytes = fs::file_size(target_.path() + "/" + ManifestName(Mark(7)));
  Publish();
  EXPECT_EQ(progress_->bytes_read, 11 + 9 + manifest_bytes);
  EXPECT_EQ(progress_->bytes_written, 0u);
}

TEST_F(PublishTest, OlderManifestsAreReadOnlyWhereTheNewestDoesNotName) {
  WriteManifest(Publish());
  WriteTextFile(target_.path() + "/" + ManifestName(Mark(6)), std::string(1 << 20, 'x'));
  Publish();
  EXPECT_LT(progress_->bytes_read, 1u << 20);
}

TEST_F(PublishTest, ACopyIsComparedWithTheChecksumThatIsRemembered) {
  Publish();
  const auto time = fs::last_write_time(rows_[0].path);
  WriteTextFile(rows_[0].path, std::string(3 << 20, 'd'));
  fs::last_write_time(rows_[0].path, time);  // as a disk damages a file
  const TempDir elsewhere("/dev/shm");
  PublishProgress progress;
  const absl::Status damaged =
      PublishFiles(elsewhere.path(), rows_, log_, {}, &progress, &checksums_).status();
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(damaged.message()), HasSubstr(rows_[0].path));
}

TEST_F(PublishTest, WhatADeadAttemptLeftIsNotTrusted) {
  const auto files = Publish();
  fs::remove(PathOf(files[0]));  // it is linked
  for (const CheckpointFile& file : files) {
    WriteTextFile(PathOf(file), "half a file that is longer than the small ones");
  }
  Publish();
  EXPECT_EQ(ReadTextFile(PathOf(files[0])), std::string(3 << 20, 'r'));
  EXPECT_EQ(ReadTextFile(PathOf(files[1])), "MANIFEST-1\n");
  EXPECT_EQ(ReadTextFile(PathOf(files[2])), "log bytes");
}

TEST_F(PublishTest, ANamedFileThatIsGoneOrCutIsSentAgain) {
  const auto files = Publish();
  WriteManifest(files);
  WriteTextFile(PathOf(files[1]), "MANI");
  fs::remove(PathOf(files[2]));
  Publish();
  EXPECT_EQ(ReadTextFile(PathOf(files[1])), "MANIFEST-1\n");
  EXPECT_EQ(ReadTextFile(PathOf(files[2])), "log bytes");
}

TEST_F(PublishTest, AFileThatIsLinkedElsewhereIsReplacedNotWritten) {
  const auto files = Publish();
  fs::remove(PathOf(files[1]));
  const std::string other = PathIn(shard_, "other");
  WriteTextFile(other, "somebody's own");
  fs::create_hard_link(other, PathOf(files[1]));
  Publish();
  EXPECT_EQ(ReadTextFile(other), "somebody's own");
  EXPECT_EQ(ReadTextFile(PathOf(files[1])), "MANIFEST-1\n");
}

TEST_F(PublishTest, CopiesWhereItCannotLink) {
  const TempDir elsewhere("/dev/shm");
  PublishProgress progress;
  const auto files = PublishFiles(elsewhere.path(), rows_, log_, {}, &progress);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(ReadTextFile(elsewhere.path() + "/files/" + files->at(0).name),
            std::string(3 << 20, 'r'));
  EXPECT_EQ(progress.bytes_done, progress.bytes_total);
}

TEST_F(PublishTest, ErrorsNameThePath) {
  WriteTextFile(PathIn(target_, "files"), "in the way");
  PublishProgress progress;
  const auto files = PublishFiles(target_.path(), rows_, log_, {}, &progress);
  EXPECT_THAT(std::string(files.status().message()), HasSubstr(target_.path() + "/files"));
}

TEST_F(PublishTest, GivesUpWhenTold) {
  PublishProgress progress;
  progress.cancelled = true;
  EXPECT_EQ(PublishFiles(target_.path(), rows_, log_, {}, &progress).status().code(),
            absl::StatusCode::kCancelled);
}

TEST_F(PublishTest, FetchingFindsDamage) {
  const auto files = Publish();
  const std::string copy = PathIn(shard_, "copy");
  ASSERT_TRUE(FetchCheckpointFile(target_.path(), files[2], copy).ok());
  EXPECT_EQ(ReadTextFile(copy), "log bytes");
  WriteTextFile(PathOf(files[2]), "log byteS");
  const absl::Status damaged = FetchCheckpointFile(target_.path(), files[2], copy);
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(damaged.message()), HasSubstr(files[2].name));
  WriteTextFile(PathOf(files[2]), "log");
  EXPECT_EQ(FetchCheckpointFile(target_.path(), files[2], copy).code(),
            absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace rowhouse

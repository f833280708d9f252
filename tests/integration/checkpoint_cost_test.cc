// What a shard reads and writes for a checkpoint, with RocksDB and files below it.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "ps/shard_storage.h"
#include "storage/disk_tier.h"
#include "tests/support/temp_dir.h"

namespace rowhouse {
namespace {

constexpr size_t kRows = 2000;
constexpr size_t kRowBytes = 512;

class CheckpointCost : public testing::Test {
 protected:
  CheckpointCost() {
    auto storage = OpenShardStorage(data_.path() + "/shard-0", {Timeline(1), ShardId(0), 1, 14});
    EXPECT_TRUE(storage.ok()) << storage.status();
    storage_ = *std::move(storage);
  }

  // One file of rows, whose keys lie behind all before it.
  void AddFile() {
    std::vector<DiskEntry> entries;
    for (size_t i = 0; i < kRows; ++i) {
      entries.push_back({absl::StrFormat("%08d", next_row_++), std::string(kRowBytes, 'r')});
    }
    ASSERT_TRUE(storage_.disk->Ingest(entries).ok());
  }
  std::shared_ptr<PublishProgress> Checkpoint() {
    CheckpointJob job;
    job.attempt = ++attempt_;
    job.directory = directory_.path();
    job.progress = std::make_shared<PublishProgress>();
    for (const auto kind : {CheckpointJob::Kind::kFreeze, CheckpointJob::Kind::kPublish,
                            CheckpointJob::Kind::kDrop}) {
      job.kind = kind;
      const CheckpointOutcome outcome =
          RunCheckpointJob(job, storage_.disk.get(), *storage_.files, &storage_.checksums);
      EXPECT_TRUE(outcome.status.ok()) << outcome.status;
    }
    return job.progress;
  }

  const TempDir data_;
  const TempDir directory_;
  ShardStorage storage_;
  uint64_t next_row_ = 0;
  uint64_t attempt_ = 0;
};

TEST_F(CheckpointCost, ASecondOneReadsOnlyTheFilesThatAreNew) {
  constexpr uint64_t kFileBytes = kRows * kRowBytes;
  for (int i = 0; i < 3; ++i) AddFile();
  EXPECT_GT(Checkpoint()->bytes_read, 3 * kFileBytes);
  AddFile();
  const auto second = Checkpoint();
  EXPECT_GT(second->bytes_total, 4 * kFileBytes);
  EXPECT_EQ(second->bytes_done, second->bytes_total);
  EXPECT_GT(second->bytes_read, kFileBytes);
  EXPECT_LT(second->bytes_read, 2 * kFileBytes);
  EXPECT_LT(second->bytes_written, kFileBytes / 4);  // rows are linked
  EXPECT_LT(Checkpoint()->bytes_read, kFileBytes / 4);
}

}  // namespace
}  // namespace rowhouse

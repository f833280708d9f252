#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "ps/shard_storage.h"
#include "storage/memory_disk_tier.h"
#include "storage/row_codec.h"
#include "tests/support/forwarding_disk_tier.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;

// A disk tier that remembers which keys came in which file.
class FilesOfTier final : public ForwardingDiskTier {
 public:
  explicit FilesOfTier(std::unique_ptr<DiskTier> tier = MakeMemoryDiskTier())
      : ForwardingDiskTier(tier.get()), owned_(std::move(tier)) {}

  using DiskTier::Ingest;
  absl::Status Ingest(std::span<const DiskEntryView> entries) override {
    files.emplace_back();
    for (const DiskEntryView& entry : entries) files.back().emplace_back(entry.key);
    return tier().Ingest(entries);
  }

  std::vector<std::vector<std::string>> files;

 private:
  const std::unique_ptr<DiskTier> owned_;
};

TEST(FileJob, EntriesGoSortedIntoOneFile) {
  FilesOfTier tier;
  EntryBuffer buffer;
  const std::string low = EncodeRowKey(TableId(1), Key(0));
  const std::string high = EncodeRowKey(TableId(1), Key(1));
  buffer.Add(std::max(low, high), "row");
  buffer.Add(std::min(low, high), "row");
  ASSERT_TRUE(RunFileJob({&buffer}, &tier).ok());
  EXPECT_THAT(tier.files, ElementsAre(ElementsAre(std::min(low, high), std::max(low, high))));
}

TEST(FileJobDeathTest, RowsAndBookkeepingDoNotShareAJob) {
  FilesOfTier tier;
  EntryBuffer buffer;
  buffer.Add(EncodeRowKey(TableId(1), Key(0)), "row");
  buffer.Add(MetaKey("a"), "meta");
  EXPECT_DEATH(RunFileJob({&buffer}, &tier).IgnoreError(), "Check failed");
}

TEST(FileJob, OneKindOfEntriesIsOneFile) {
  FilesOfTier tier;
  EntryBuffer meta;
  meta.Add(MetaKey("a"), "meta");
  EntryBuffer rows;
  rows.Add(EncodeRowKey(TableId(1), Key(0)), "row");
  ASSERT_TRUE(RunFileJob({&meta}, &tier).ok());
  ASSERT_TRUE(RunFileJob({&rows}, &tier).ok());
  EXPECT_EQ(tier.files.size(), 2u);
}

// Bookkeeping too speaks of records up to there: were they lost, the rows would not be what it
// says.
TEST(FileJob, HowFarTheLogMustReachIsWrittenDownBeforeRowsAndBookkeeping) {
  for (const std::string& key : {EncodeRowKey(TableId(1), Key(0)), MetaKey("watermark")}) {
    FilesOfTier tier;
    EntryBuffer buffer;
    buffer.Add(key, "entry");
    ASSERT_TRUE(RunFileJob({&buffer, Lsn(5)}, &tier).ok());
    EXPECT_THAT(tier.files, ElementsAre(ElementsAre(MetaKey(kRowsLsnName)), ElementsAre(key)));
  }
}

}  // namespace
}  // namespace rowhouse

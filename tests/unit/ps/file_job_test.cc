#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ps/shard_storage.h"
#include "storage/memory_disk_tier.h"
#include "storage/row_codec.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;

// A disk tier in memory that remembers which keys came in which file.
class FilesOfTier final : public DiskTier {
 public:
  using DiskTier::Ingest;
  absl::Status Ingest(std::span<const DiskEntryView> entries) override {
    files.emplace_back();
    for (const DiskEntryView& entry : entries) files.back().emplace_back(entry.key);
    return tier_->Ingest(entries);
  }
  absl::StatusOr<std::vector<std::optional<std::string>>> Read(
      std::span<const std::string> keys) const override {
    return tier_->Read(keys);
  }
  absl::Status Scan(std::string_view begin, std::string_view end,
                    const Visitor& visit) const override {
    return tier_->Scan(begin, end, visit);
  }
  absl::Status Freeze(const std::string& name) override { return tier_->Freeze(name); }
  absl::Status DropFrozen(const std::string& name) override { return tier_->DropFrozen(name); }
  absl::StatusOr<std::unique_ptr<DiskTier>> OpenFrozen(const std::string& name) const override {
    return tier_->OpenFrozen(name);
  }
  absl::StatusOr<std::vector<FrozenFile>> ListFrozen(const std::string& name) const override {
    return tier_->ListFrozen(name);
  }

  std::vector<std::vector<std::string>> files;

 private:
  std::unique_ptr<DiskTier> tier_ = MakeMemoryDiskTier();
};

TEST(FileJob, BookkeepingIsAFileOfItsOwnBeforeTheRows) {
  FilesOfTier tier;
  EntryBuffer buffer;
  const std::string low = EncodeRowKey(TableId(1), Key(0));
  const std::string high = EncodeRowKey(TableId(1), Key(1));
  buffer.Add(std::max(low, high), "row");
  buffer.Add(MetaKey("b"), "meta");
  buffer.Add(std::min(low, high), "row");
  buffer.Add(MetaKey("a"), "meta");
  ASSERT_TRUE(RunFileJob({&buffer}, &tier).ok());
  EXPECT_THAT(tier.files, ElementsAre(ElementsAre(MetaKey("a"), MetaKey("b")),
                                      ElementsAre(std::min(low, high), std::max(low, high))));
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

}  // namespace
}  // namespace rowhouse

// What every disk tier must do, over both of them; below it, what RocksDB alone can show.
#include "storage/disk_tier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <thread>

#include "common/text.h"
#include "storage/memory_disk_tier.h"
#include "storage/rocks_disk_tier.h"
#include "tests/unit/storage/test_files.h"

namespace rowhouse {

// Found by argument-dependent look-up, so not in the unnamed namespace.
static bool operator==(const DiskEntry& a, const DiskEntry& b) {
  return a.key == b.key && a.value == b.value;
}

namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using Entries = std::vector<DiskEntry>;

Entries ScanAll(const DiskTier& tier, std::string_view begin = "", std::string_view end = "") {
  Entries out;
  const absl::Status status =
      tier.Scan(begin, end, [&](std::string_view key, std::string_view value) {
        out.push_back({std::string(key), std::string(value)});
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  return out;
}

std::unique_ptr<DiskTier> OpenRocks(const std::string& path) {
  auto tier = OpenRocksDiskTier(path);
  EXPECT_TRUE(tier.ok()) << tier.status();
  return tier.ok() ? std::move(*tier) : nullptr;
}

enum class Kind { kMemory, kRocks };

class DiskTierTest : public ::testing::TestWithParam<Kind> {
 protected:
  DiskTierTest()
      : tier_(GetParam() == Kind::kMemory ? MakeMemoryDiskTier()
                                          : OpenRocks(PathIn(dir_, "rows"))) {}

  void Ingest(const Entries& entries) {
    const absl::Status status = tier_->Ingest(entries);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::vector<std::optional<std::string>> Read(const std::vector<std::string>& keys) {
    auto values = tier_->Read(keys);
    EXPECT_TRUE(values.ok()) << values.status();
    return values.value();
  }

  TempDir dir_;
  std::unique_ptr<DiskTier> tier_;
};

TEST_P(DiskTierTest, EmptyTierHasNothing) {
  EXPECT_THAT(ScanAll(*tier_), IsEmpty());
  EXPECT_THAT(Read({"a", "b"}), ElementsAre(std::nullopt, std::nullopt));
  EXPECT_THAT(Read({}), IsEmpty());
}

TEST_P(DiskTierTest, ReadsWhatWasIngestedInTheOrderAsked) {
  Ingest({{"a", "1"}, {"c", ""}});
  EXPECT_THAT(Read({"c", "b", "a", "c"}), ElementsAre("", std::nullopt, "1", ""));
}

TEST_P(DiskTierTest, LaterEntriesWin) {
  Ingest({{"a", "1"}, {"b", "2"}, {"d", "3"}});
  Ingest({{"b", "4"}});
  Ingest({{"a", "5"}, {"c", "6"}});
  EXPECT_THAT(ScanAll(*tier_), ElementsAre(DiskEntry{"a", "5"}, DiskEntry{"b", "4"},
                                           DiskEntry{"c", "6"}, DiskEntry{"d", "3"}));
  EXPECT_THAT(Read({"a", "b"}), ElementsAre("5", "4"));
}

TEST_P(DiskTierTest, ScansHalfOpenRanges) {
  Ingest({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  EXPECT_THAT(ScanAll(*tier_, "a", "c"), ElementsAre(DiskEntry{"a", "1"}, DiskEntry{"b", "2"}));
  EXPECT_THAT(ScanAll(*tier_, "aa"), ElementsAre(DiskEntry{"b", "2"}, DiskEntry{"c", "3"}));
  EXPECT_THAT(ScanAll(*tier_, "b", "b"), IsEmpty());
  EXPECT_THAT(ScanAll(*tier_, "c", "a"), IsEmpty());
  EXPECT_THAT(ScanAll(*tier_, "d"), IsEmpty());
}

TEST_P(DiskTierTest, KeysAreBytes) {
  const std::string zero(1, '\0');
  Ingest({{zero, zero}, {"a", "1"}, {"\xff\xff", "2"}, {"\xff\xff\xff", "3"}});
  EXPECT_THAT(ScanAll(*tier_, "\xff\xff"), SizeIs(2));
  EXPECT_THAT(Read({zero}), ElementsAre(zero));
}

TEST_P(DiskTierTest, RefusesWhatIsNotSortedUniqueAndPresent) {
  Ingest({{"k", "kept"}});
  const std::vector<Entries> bad = {{},
                                    {{"", "x"}},
                                    {{"b", "1"}, {"a", "2"}},
                                    {{"a", "1"}, {"a", "2"}},
                                    {{"a", ""}, {"b", ""}, {"b", ""}}};
  for (const Entries& entries : bad) {
    EXPECT_EQ(tier_->Ingest(entries).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_THAT(ScanAll(*tier_), ElementsAre(DiskEntry{"k", "kept"}));
}

TEST_P(DiskTierTest, FailedVisitStopsTheScan) {
  Ingest({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  int visits = 0;
  const absl::Status status = tier_->Scan("", "", [&](std::string_view, std::string_view) {
    return ++visits == 2 ? absl::AbortedError("enough") : absl::OkStatus();
  });
  EXPECT_EQ(status, absl::AbortedError("enough"));
  EXPECT_EQ(visits, 2);
}

TEST_P(DiskTierTest, AgreesWithAMapOverManyOverlappingFiles) {
  std::mt19937 random(11);
  std::map<std::string, std::string> model;
  for (int file = 0; file < 60; ++file) {
    std::map<std::string, std::string> batch;
    for (int i = 0; i < 200; ++i) {
      batch[StrCat("key", random() % 2000)] = std::string(random() % 300, static_cast<char>(file));
    }
    Entries entries;
    for (const auto& [key, value] : batch) {
      entries.push_back({key, value});
      model[key] = value;
    }
    Ingest(entries);
  }
  Entries expected;
  std::vector<std::string> keys;
  for (const auto& [key, value] : model) {
    expected.push_back({key, value});
    keys.push_back(key);
  }
  EXPECT_EQ(ScanAll(*tier_), expected);
  const auto values = Read(keys);
  for (size_t i = 0; i < keys.size(); ++i) ASSERT_EQ(values[i], model[keys[i]]);
}

TEST_P(DiskTierTest, ThreadsMayIngestReadAndScanAtOnce) {
  constexpr int kFiles = 15;
  const auto ingest = [&](char who) {
    for (int i = 0; i < kFiles; ++i) {
      EXPECT_TRUE(tier_->Ingest(Entries{{StrCat(std::string(1, who), i), "v"}, {"z", "v"}}).ok());
    }
  };
  std::thread a(ingest, 'a');
  std::thread b(ingest, 'b');
  for (int i = 0; i < 50; ++i) {
    ScanAll(*tier_);
    Read({"a1", "z"});
  }
  a.join();
  b.join();
  EXPECT_THAT(ScanAll(*tier_), SizeIs(2 * kFiles + 1));
}

TEST_P(DiskTierTest, AnImageIsWhatWasIngestedBeforeIt) {
  Ingest({{"a", "1"}, {"b", "2"}});
  ASSERT_TRUE(tier_->Freeze("one").ok());
  Ingest({{"b", "3"}, {"c", "4"}});
  ASSERT_TRUE(tier_->Freeze("two").ok());
  Ingest({{"a", "5"}});
  {
    const auto one = tier_->OpenFrozen("one");
    const auto two = tier_->OpenFrozen("two");
    ASSERT_TRUE(one.ok() && two.ok()) << one.status() << two.status();
    EXPECT_THAT(ScanAll(**one), ElementsAre(DiskEntry{"a", "1"}, DiskEntry{"b", "2"}));
    EXPECT_THAT(ScanAll(**two),
                ElementsAre(DiskEntry{"a", "1"}, DiskEntry{"b", "3"}, DiskEntry{"c", "4"}));
    EXPECT_EQ((*one)->Read(std::vector<std::string>{"b"})->at(0), "2");
  }
  EXPECT_THAT(Read({"a", "b", "c"}), ElementsAre("5", "3", "4"));
}

TEST_P(DiskTierTest, AnImageCannotBeChanged) {
  Ingest({{"a", "1"}});
  ASSERT_TRUE(tier_->Freeze("one").ok());
  const auto image = tier_->OpenFrozen("one");
  ASSERT_TRUE(image.ok()) << image.status();
  const Entries more = {{"b", "2"}};
  EXPECT_EQ((*image)->Ingest(more).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ((*image)->Freeze("x").code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(DiskTierTest, AnImageTakesThePlaceOfOneOfItsName) {
  ASSERT_TRUE(tier_->Freeze("one").ok());
  Ingest({{"a", "1"}});
  ASSERT_TRUE(tier_->Freeze("one").ok());
  const auto image = tier_->OpenFrozen("one");
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_THAT(ScanAll(**image), ElementsAre(DiskEntry{"a", "1"}));
}

TEST_P(DiskTierTest, ADroppedImageIsGone) {
  Ingest({{"a", "1"}});
  ASSERT_TRUE(tier_->Freeze("one").ok());
  EXPECT_TRUE(tier_->ListFrozen("one").ok());
  EXPECT_TRUE(tier_->DropFrozen("one").ok());
  EXPECT_TRUE(tier_->DropFrozen("one").ok());
  EXPECT_EQ(tier_->OpenFrozen("one").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(tier_->ListFrozen("one").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Read({"a"}), ElementsAre("1"));
}

INSTANTIATE_TEST_SUITE_P(, DiskTierTest, ::testing::Values(Kind::kMemory, Kind::kRocks),
                         [](const auto& info) {
                           return info.param == Kind::kMemory ? "Memory" : "Rocks";
                         });

class RocksDiskTierTest : public ::testing::Test {
 protected:
  std::string Failure() {
    const auto tier = OpenRocksDiskTier(path_);
    EXPECT_FALSE(tier.ok());
    return std::string(tier.status().message());
  }
  std::vector<std::string> FilesNamed(std::string_view part) {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      if (entry.path().filename().string().find(part) != std::string::npos) {
        out.push_back(entry.path().string());
      }
    }
    return out;
  }

  TempDir dir_;
  const std::string path_ = PathIn(dir_, "rows");
};

TEST_F(RocksDiskTierTest, ReopenGivesTheSameBytes) {
  Entries before;
  {
    auto tier = OpenRocks(path_);
    for (int file = 0; file < 10; ++file) {
      Entries entries;
      for (int i = 0; i < 100; ++i) {
        entries.push_back({StrCat("k", 100 + (i + file) % 101), std::string(50, 'a' + file)});
      }
      std::sort(entries.begin(), entries.end(),
                [](const DiskEntry& a, const DiskEntry& b) { return a.key < b.key; });
      ASSERT_TRUE(tier->Ingest(entries).ok());
    }
    before = ScanAll(*tier);
  }
  EXPECT_THAT(before, SizeIs(101));
  for (int round = 0; round < 3; ++round) EXPECT_EQ(ScanAll(*OpenRocks(path_)), before);
}

// 20,000 rows, in the order of their keys from `first` on.
Entries RowsFrom(int first, size_t row_bytes) {
  Entries entries;
  for (int i = 0; i < 20000; ++i) {
    entries.push_back({StrCat("key-", 1000000 + first + i), std::string(row_bytes, 'a')});
  }
  return entries;
}

// What docs/operations.md says of rows of dim 64, 8 and 1, in memory.
TEST_F(RocksDiskTierTest, CountsWhatItKeepsInMemoryForReading) {
  const std::pair<size_t, size_t> kShares[] = {{532, 175}, {84, 50}, {28, 20}};
  for (const auto& [row_bytes, share] : kShares) {
    auto tier = OpenRocks(StrCat(path_, row_bytes));
    for (int file = 0; file < 4; ++file) {
      ASSERT_TRUE(tier->Ingest(RowsFrom(file * 20000, row_bytes)).ok());
    }
    EXPECT_LT(tier->memory_bytes(), 4 * 20000 * (row_bytes + 12) / share) << row_bytes;
  }
}

TEST_F(RocksDiskTierTest, MemoryForReadingGrowsWithEveryFile) {
  uint64_t before = 0;
  {
    auto tier = OpenRocks(path_);
    EXPECT_EQ(tier->memory_bytes(), 0u);
    for (int file = 0; file < 3; ++file) {
      const uint64_t last = tier->memory_bytes();
      ASSERT_TRUE(tier->Ingest(RowsFrom(file * 20000, 532)).ok());
      EXPECT_GT(tier->memory_bytes(), last + 20000 * 10 / 8);  // ten bits a row for filters alone
    }
    before = tier->memory_bytes();
  }
  EXPECT_NEAR(OpenRocks(path_)->memory_bytes(), before, before / 10);
}

// A flush may bring files that overlap faster than RocksDB merges them.
TEST_F(RocksDiskTierTest, WaitsForMergesRatherThanLettingFilesPileUp) {
  auto tier = OpenRocks(path_);
  for (int file = 0; file < 100; ++file) {
    ASSERT_TRUE(tier->Ingest(Entries{{"a", StrCat(file)}, {"b", StrCat(file)}}).ok());
    ASSERT_LT(FilesNamed(".sst").size(), 60u) << file;
  }
  EXPECT_THAT(ScanAll(*tier), ElementsAre(DiskEntry{"a", "99"}, DiskEntry{"b", "99"}));
}

TEST_F(RocksDiskTierTest, RemovesLeftoversAndKeepsTheFolderEmpty) {
  OpenRocks(path_);
  const std::string leftover = path_ + ".incoming/1.sst";
  WriteTextFile(leftover, "half a file");
  auto tier = OpenRocks(path_);
  EXPECT_FALSE(std::filesystem::exists(leftover));
  ASSERT_TRUE(tier->Ingest(Entries{{"a", "1"}}).ok());
  ASSERT_FALSE(tier->Ingest(Entries{}).ok());
  EXPECT_TRUE(std::filesystem::is_empty(path_ + ".incoming"));
}

TEST_F(RocksDiskTierTest, AnImageIsLinkedAndOutlivesWhatItWasMadeOf) {
  auto tier = OpenRocks(path_);
  ASSERT_TRUE(tier->Ingest(Entries{{"a", "1"}}).ok());
  ASSERT_TRUE(tier->Freeze("one").ok());
  const auto files = tier->ListFrozen("one");
  ASSERT_TRUE(files.ok()) << files.status();
  std::vector<std::string> kinds;
  for (const FrozenFile& file : *files) {
    kinds.push_back(file.name.substr(0, file.name.find('-')));
    if (file.name.ends_with(".sst")) {
      EXPECT_EQ(std::filesystem::hard_link_count(file.path), 2u);
    }
  }
  EXPECT_THAT(kinds, ElementsAre(testing::EndsWith(".sst"), "CURRENT", "MANIFEST", "OPTIONS"));
  const std::string copy = PathIn(dir_, "copy");
  std::filesystem::create_directory(copy);
  for (const FrozenFile& file : *files) {
    std::filesystem::copy_file(file.path, copy + "/" + file.name);
  }
  ASSERT_TRUE(tier->DropFrozen("one").ok());
  const auto image = OpenRocksDiskTierReadOnly(copy);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_THAT(ScanAll(**image), ElementsAre(DiskEntry{"a", "1"}));
}

TEST_F(RocksDiskTierTest, RemovesImagesThatAnEarlierProcessLeft) {
  ASSERT_TRUE(OpenRocks(path_)->Freeze("one").ok());
  EXPECT_TRUE(std::filesystem::exists(path_ + ".frozen/one/CURRENT"));
  OpenRocks(path_);
  EXPECT_FALSE(std::filesystem::exists(path_ + ".frozen"));
}

TEST_F(RocksDiskTierTest, SecondOpenIsRefusedAndHarmless) {
  auto tier = OpenRocks(path_);
  EXPECT_THAT(Failure(), AllOf(HasSubstr(path_), HasSubstr("no other process has it open")));
  EXPECT_TRUE(tier->Ingest(Entries{{"a", "1"}}).ok());
}

TEST_F(RocksDiskTierTest, DamagedCurrentFileIsAnErrorWithThePath) {
  OpenRocks(path_);
  WriteTextFile(path_ + "/CURRENT", "garbage");
  EXPECT_THAT(Failure(), HasSubstr(path_));
}

TEST_F(RocksDiskTierTest, LostCurrentFileIsNotANewDatabase) {
  ASSERT_TRUE(OpenRocks(path_)->Ingest(Entries{{"a", "1"}}).ok());
  std::filesystem::remove(path_ + "/CURRENT");
  EXPECT_THAT(Failure(), AllOf(HasSubstr(path_), HasSubstr("CURRENT"), HasSubstr("backup")));
}

TEST_F(RocksDiskTierTest, LostTableFileIsAnErrorWithThePath) {
  ASSERT_TRUE(OpenRocks(path_)->Ingest(Entries{{"a", "1"}}).ok());
  for (const auto& file : FilesNamed(".sst")) std::filesystem::remove(file);
  EXPECT_THAT(Failure(), AllOf(HasSubstr(path_), HasSubstr("backup")));
}

TEST_F(RocksDiskTierTest, DamagedManifestIsAnErrorWithThePath) {
  ASSERT_TRUE(OpenRocks(path_)->Ingest(Entries{{"a", "1"}}).ok());
  for (const auto& file : FilesNamed("MANIFEST")) {
    std::string bytes = ReadTextFile(file);
    bytes[bytes.size() / 2] ^= 0x20;
    WriteTextFile(file, bytes);
  }
  EXPECT_THAT(Failure(), AllOf(HasSubstr(path_), HasSubstr("backup")));
}

TEST_F(RocksDiskTierTest, FlippedBytesAreNeverReadAsData) {
  const std::string value(200, 'v');
  {
    auto tier = OpenRocks(path_);
    ASSERT_TRUE(tier->Ingest(Entries{{"a", value}, {"b", value}}).ok());
  }
  const std::string file = FilesNamed(".sst").at(0);
  const std::string good = ReadTextFile(file);
  const size_t at = good.find("vvv");
  ASSERT_NE(at, std::string::npos);  // not compressed
  std::string bad = good;
  bad[at + 5] ^= 1;
  WriteTextFile(file, bad);
  const auto tier = OpenRocksDiskTier(path_);
  if (!tier.ok()) return;
  EXPECT_EQ((*tier)->Read(std::vector<std::string>{"a"}).status().code(),
            absl::StatusCode::kDataLoss);
  const absl::Status scan =
      (*tier)->Scan("", "", [](std::string_view, std::string_view) { return absl::OkStatus(); });
  EXPECT_EQ(scan.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(scan.message()), AllOf(HasSubstr(path_), HasSubstr("backup")));
}

TEST_F(RocksDiskTierTest, UnwritablePathIsAnErrorWithThePath) {
  WriteTextFile(path_, "a file");
  EXPECT_THAT(Failure(), AllOf(HasSubstr(path_), Not(HasSubstr("damaged"))));
}

}  // namespace
}  // namespace rowhouse

// What every LogFiles must do, over both of them; below it, the faults of the one in memory.
#include "storage/log_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "storage/direct_file.h"
#include "storage/memory_log_files.h"
#include "storage/posix_log_files.h"
#include "tests/support/cached_pages.h"
#include "tests/support/deleted_files.h"
#include "tests/unit/storage/test_files.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string Text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Bytes that differ from block to block.
std::string Noise(size_t bytes, uint64_t seed) {
  std::minstd_rand random(static_cast<uint32_t>(seed));
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random() >> 8);
  return text;
}

absl::Status Append(LogFile& file, std::string_view text) {
  const std::span<const std::byte> pieces[] = {Bytes(text)};
  return file.Append(pieces);
}

enum class Kind { kMemory, kCached, kDirect };

class LogFilesTest : public ::testing::TestWithParam<Kind> {
 protected:
  LogFilesTest() {
    if (GetParam() == Kind::kMemory) {
      files_ = std::make_unique<MemoryLogFiles>();
    } else {
      const auto writes = GetParam() == Kind::kDirect ? LogWrites::kDirect : LogWrites::kCached;
      files_ = OpenPosixLogFiles(PathIn(dir_, "deep/log"), writes).value();
    }
  }
  std::unique_ptr<LogFile> Create(std::string_view name) {
    auto file = files_->Create(name);
    EXPECT_TRUE(file.ok()) << file.status();
    return std::move(*file);
  }
  std::string Read(std::string_view name, uint64_t offset = 0, size_t bytes = 1 << 30) {
    const auto read = files_->Read(name, offset, bytes);
    EXPECT_TRUE(read.ok()) << read.status();
    return Text(*read);
  }

  TempDir dir_;
  std::unique_ptr<LogFiles> files_;
};

TEST_P(LogFilesTest, AppendsAllPiecesInOrder) {
  auto file = Create("a");
  const std::span<const std::byte> pieces[] = {Bytes("one"), Bytes(""), Bytes("two"), Bytes("3")};
  ASSERT_TRUE(file->Append(pieces).ok());
  ASSERT_TRUE(file->Append({}).ok());
  ASSERT_TRUE(Append(*file, "!").ok());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(Read("a"), "onetwo3!");
  EXPECT_EQ(file->size_bytes(), 8u);
  EXPECT_EQ(files_->SizeBytes("a").value(), 8u);
}

TEST_P(LogFilesTest, MorePiecesThanOneSystemCallTakes) {
  auto file = Create("a");
  std::string text(5000, 'x');
  std::iota(text.begin(), text.end(), '\0');
  std::vector<std::span<const std::byte>> pieces;
  for (size_t i = 0; i < text.size(); ++i) pieces.push_back(Bytes(text).subspan(i, 1));
  ASSERT_TRUE(file->Append(pieces).ok());
  EXPECT_EQ(Read("a"), text);
}

TEST_P(LogFilesTest, ReadsPartsAndStopsAtTheEnd) {
  ASSERT_TRUE(Append(*Create("a"), "0123456789").ok());
  EXPECT_EQ(Read("a", 3, 4), "3456");
  EXPECT_EQ(Read("a", 8, 100), "89");
  EXPECT_EQ(Read("a", 10, 1), "");
  EXPECT_EQ(Read("a", 99, 1), "");
  EXPECT_EQ(Read("a", 0, 0), "");
}

TEST_P(LogFilesTest, TruncatesAndAppendsThere) {
  auto file = Create("a");
  ASSERT_TRUE(Append(*file, "0123456789").ok());
  ASSERT_TRUE(file->Truncate(4).ok());
  EXPECT_EQ(file->size_bytes(), 4u);
  ASSERT_TRUE(Append(*file, "xy").ok());
  EXPECT_EQ(Read("a"), "0123xy");
}

TEST_P(LogFilesTest, WritingAgainChangesNothing) {
  auto file = Create("a");
  ASSERT_TRUE(Append(*file, "0123456789").ok());
  ASSERT_TRUE(file->Rewrite(3, Bytes("345")).ok());
  EXPECT_EQ(file->size_bytes(), 10u);
  ASSERT_TRUE(Append(*file, "x").ok());
  EXPECT_EQ(Read("a"), "0123456789x");
}

TEST_P(LogFilesTest, OpensForAppendAtTheEnd) {
  ASSERT_TRUE(Append(*Create("a"), "01").ok());
  auto file = files_->OpenForAppend("a");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->size_bytes(), 2u);
  ASSERT_TRUE(Append(**file, "23").ok());
  EXPECT_EQ(Read("a"), "0123");
}

TEST_P(LogFilesTest, ListsSortedAndRemoves) {
  for (const auto name : {"c", "a", "b"}) Create(name);
  EXPECT_THAT(files_->List().value(), ElementsAre("a", "b", "c"));
  ASSERT_TRUE(files_->Remove("b").ok());
  EXPECT_THAT(files_->List().value(), ElementsAre("a", "c"));
}

TEST_P(LogFilesTest, CreateRefusesAnExistingName) {
  ASSERT_TRUE(Append(*Create("a"), "keep").ok());
  EXPECT_EQ(files_->Create("a").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Read("a"), "keep");
}

TEST_P(LogFilesTest, MissingFilesAreNotFoundByName) {
  for (const absl::Status& status :
       {files_->OpenForAppend("gone").status(), files_->Read("gone", 0, 1).status(),
        files_->SizeBytes("gone").status(), files_->Remove("gone").status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()), HasSubstr("gone"));
  }
  EXPECT_THAT(files_->List().value(), IsEmpty());
  EXPECT_THAT(files_->Describe("gone"), HasSubstr("gone"));
}

// Sizes around those where a write through the page cache becomes one past it, and back.
TEST_P(LogFilesTest, AppendsOfAnySizeFollowEachOther) {
  auto file = Create("a");
  std::string all;
  for (const size_t bytes : {1, 131071, 131072, 5, 4096, 3'000'001, 200'000, 7, 1 << 20}) {
    const std::string text = Noise(bytes, all.size());
    const size_t middle = bytes / 3;
    const std::span<const std::byte> pieces[] = {Bytes(text).first(middle),
                                                 Bytes(text).subspan(middle)};
    ASSERT_TRUE(file->Append(pieces).ok());
    all += text;
    ASSERT_EQ(file->size_bytes(), all.size());
    ASSERT_EQ(files_->SizeBytes("a").value(), all.size());
    ASSERT_TRUE(Read("a") == all) << "after " << bytes << " bytes more";
  }
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_TRUE(Read("a") == all);
}

TEST_P(LogFilesTest, LargeAppendsAreTruncatedRewrittenAndGoneOnFrom) {
  std::string all = Noise(1'000'003, 1);
  {
    auto file = Create("a");
    ASSERT_TRUE(Append(*file, all).ok());
    ASSERT_TRUE(file->Truncate(600'001).ok());
    ASSERT_TRUE(file->Rewrite(299'999, Bytes(all).subspan(299'999, 150'000)).ok());
    all.resize(600'001);
    all += Noise(400'000, 2);
    ASSERT_TRUE(Append(*file, std::string_view(all).substr(600'001)).ok());
  }
  auto file = files_->OpenForAppend("a").value();
  const std::string more = Noise(300'000, 3);
  ASSERT_TRUE(Append(*file, more).ok());
  EXPECT_TRUE(Read("a") == all + more);
}

INSTANTIATE_TEST_SUITE_P(, LogFilesTest,
                         ::testing::Values(Kind::kMemory, Kind::kCached, Kind::kDirect),
                         [](const auto& info) {
                           switch (info.param) {
                             case Kind::kMemory:
                               return "Memory";
                             case Kind::kCached:
                               return "PosixCached";
                             case Kind::kDirect:
                               return "PosixDirect";
                           }
                           return "";
                         });

TEST(PosixLogFiles, LargeWritesGoPastThePageCacheWhereTheyAreAskedTo) {
  const std::string text = Noise(1 << 20, 1);
  for (const LogWrites writes : {LogWrites::kCached, LogWrites::kDirect}) {
    TempDir dir;
    auto file = OpenPosixLogFiles(dir.path(), writes).value()->Create("a").value();
    if (DirectFile::Open(PathIn(dir, "a")) == nullptr) GTEST_SKIP() << "no O_DIRECT here";
    ASSERT_TRUE(Append(*file, "x").ok());
    ASSERT_TRUE(Append(*file, text).ok());
    const size_t pages = CachedPages(PathIn(dir, "a"), text.size() + 1);
    if (writes == LogWrites::kCached) {
      EXPECT_EQ(pages, 257u);
    } else {
      EXPECT_LE(pages, 2u) << "the first block, and the last";
    }
  }
}

// Who trims the log must not wait until the disk has freed what was trimmed.
TEST(PosixLogFiles, ARemovedFileKeepsItsBytesUntilTheyAreDestroyed) {
  TempDir dir;
  const auto files = OpenPosixLogFiles(dir.path()).value();
  ASSERT_TRUE(Append(*files->Create("a").value(), "bytes").ok());
  absl::StatusOr<RemovedFile> removed = files->Remove("a");
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_THAT(files->List().value(), IsEmpty());
  EXPECT_EQ(DeletedFilesBelow(dir.path()), 1u);
  removed->reset();
  EXPECT_EQ(DeletedFilesBelow(dir.path()), 0u);
}

TEST(PosixLogFiles, FolderThatCannotBeIsAnErrorWithThePath) {
  TempDir dir;
  WriteTextFile(PathIn(dir, "file"), "");
  for (const std::string& path :
       {PathIn(dir, "file"), PathIn(dir, "file/log"), std::string("/proc/x/log")}) {
    const auto files = OpenPosixLogFiles(path);
    ASSERT_FALSE(files.ok());
    EXPECT_THAT(std::string(files.status().message()), HasSubstr(path.substr(0, 5)));
  }
}

TEST(PosixLogFiles, FullDiskIsAnErrorWithThePath) {
  const auto files = OpenPosixLogFiles("/dev").value();
  auto full = files->OpenForAppend("full");
  ASSERT_TRUE(full.ok());
  const absl::Status status = Append(**full, "x");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/dev/full"));
}

TEST(MemoryLogFiles, PowerLossTakesUnsyncedBytes) {
  MemoryLogFiles files;
  auto file = files.Create("a").value();
  ASSERT_TRUE(Append(*file, "kept").ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(Append(*file, "lost").ok());
  files.DropUnsynced();
  EXPECT_EQ(Text(files.Read("a", 0, 100).value()), "kept");
}

// As the pages that an operating system could not write.
TEST(MemoryLogFiles, WhatAFailedSyncDropsNoLaterOneBringsBackUnlessItIsWrittenAgain) {
  MemoryLogFiles files;
  auto file = files.Create("a").value();
  ASSERT_TRUE(Append(*file, "01").ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(Append(*file, "2345").ok());
  files.FailSyncs(true);
  ASSERT_FALSE(file->Sync().ok());
  files.FailSyncs(false);
  ASSERT_TRUE(file->Rewrite(3, Bytes("34")).ok());
  ASSERT_TRUE(Append(*file, "6").ok());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(Text(files.Read("a", 0, 100).value()), "0123456") << "until the power goes";
  files.DropUnsynced();
  EXPECT_EQ(Text(files.Read("a", 0, 100).value()), std::string("01\0"
                                                               "34\0"
                                                               "6",
                                                               7));
}

TEST(MemoryLogFiles, LosingOnlyWhatFailedSyncsDroppedKeepsWhatWaitsForOne) {
  MemoryLogFiles files;
  auto file = files.Create("a").value();
  ASSERT_TRUE(Append(*file, "01").ok());
  files.FailSyncs(true);
  ASSERT_FALSE(file->Sync().ok());
  ASSERT_TRUE(Append(*file, "23").ok());
  EXPECT_EQ(files.CleanBytes("a"), 2u);
  files.DropFailedSyncs();
  EXPECT_EQ(Text(files.Read("a", 0, 100).value()), std::string("\0\0"
                                                               "23",
                                                               4));
  EXPECT_EQ(files.CleanBytes("a"), 2u);
}

TEST(MemoryLogFiles, TornAppendLeavesItsFirstBytes) {
  MemoryLogFiles files;
  auto file = files.Create("a").value();
  files.TearAppendsAfter(3);
  EXPECT_EQ(Append(*file, "01234").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Append(*file, "5").code(), absl::StatusCode::kUnavailable);
  files.HealAppends();
  EXPECT_TRUE(Append(*file, "6").ok());
  EXPECT_EQ(Text(files.Read("a", 0, 100).value()), "0126");
}

TEST(MemoryLogFiles, DiskIsSharedByAllFilesAndCanBeFull) {
  MemoryLogFiles files;
  auto a = files.Create("a").value();
  auto b = files.Create("b").value();
  files.SetDiskBytesMax(5);
  ASSERT_TRUE(Append(*a, "012").ok());
  EXPECT_EQ(Append(*b, "012").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(b->size_bytes(), 2u);
  ASSERT_TRUE(a->Truncate(0).ok());
  EXPECT_TRUE(Append(*b, "2").ok());
}

TEST(MemoryLogFiles, SyncsAndTruncationsCanFail) {
  MemoryLogFiles files;
  auto file = files.Create("a").value();
  ASSERT_TRUE(Append(*file, "0").ok());
  files.FailSyncs(true);
  files.FailTruncates(true);
  EXPECT_FALSE(file->Sync().ok());
  EXPECT_FALSE(file->Truncate(0).ok());
  files.DropUnsynced();
  EXPECT_EQ(file->size_bytes(), 0u);
}

}  // namespace
}  // namespace rowhouse

#include "storage/data_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/shard_identity.h"
#include "tests/unit/storage/test_files.h"

namespace rowhouse {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr ShardIdentity kIdentity = {Timeline(0xabcdef), ShardId(1), 3, 14};

class DataDirTest : public ::testing::Test {
 protected:
  std::unique_ptr<DataDir> Open(const ShardIdentity& identity = kIdentity) {
    auto dir = DataDir::Open(path_, identity);
    EXPECT_TRUE(dir.ok()) << dir.status();
    return dir.ok() ? std::move(*dir) : nullptr;
  }
  // The message of a refused Open, which always names the path.
  std::string Failure(const ShardIdentity& identity = kIdentity) {
    const auto dir = DataDir::Open(path_, identity);
    EXPECT_FALSE(dir.ok());
    EXPECT_THAT(std::string(dir.status().message()), HasSubstr("data directory " + path_ + ": "));
    return std::string(dir.status().message());
  }
  std::string Identity() { return path_ + "/IDENTITY"; }

  TempDir temp_;
  std::string path_ = PathIn(temp_, "a/b/shard");
};

TEST_F(DataDirTest, CreatesTheDirectoryAndItsIdentity) {
  const auto dir = Open();
  EXPECT_EQ(dir->identity(), kIdentity);
  EXPECT_EQ(dir->rows_path(), path_ + "/rows");
  EXPECT_EQ(dir->log_path(), path_ + "/log");
  EXPECT_THAT(ReadTextFile(Identity()),
              AllOf(HasSubstr("format = 1\n"), HasSubstr("timeline = 0x0000000000abcdef\n"),
                    HasSubstr("shard = 1\n"), HasSubstr("shard_count = 3\n")));
  EXPECT_FALSE(std::filesystem::exists(Identity() + ".new"));
}

TEST_F(DataDirTest, ReopenKeepsItsOwnTimeline) {
  Open();
  ShardIdentity other = kIdentity;
  other.timeline = Timeline(99);
  EXPECT_EQ(Open(other)->identity(), kIdentity);
}

TEST_F(DataDirTest, SecondOpenIsRefusedUntilTheFirstIsClosed) {
  auto first = Open();
  EXPECT_THAT(Failure(), AllOf(HasSubstr("in use"), HasSubstr("choose another directory")));
  first.reset();
  Open();
}

TEST_F(DataDirTest, ForeignDirectoryIsLeftAlone) {
  std::filesystem::create_directories(path_);
  WriteTextFile(path_ + "/thesis.tex", "precious");
  EXPECT_THAT(Failure(), AllOf(HasSubstr("thesis.tex"), HasSubstr("choose an empty")));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/LOCK"));
  EXPECT_FALSE(std::filesystem::exists(Identity()));
}

TEST_F(DataDirTest, LostIdentityIsNotANewDirectory) {
  std::filesystem::create_directories(Open()->rows_path());
  std::filesystem::remove(Identity());
  EXPECT_THAT(Failure(), HasSubstr("put its IDENTITY file back"));
}

TEST_F(DataDirTest, InterruptedCreationIsCompleted) {
  std::filesystem::create_directories(path_ + "/lost+found");
  WriteTextFile(path_ + "/LOCK", "");
  WriteTextFile(Identity() + ".new", "rowhouse data dir");
  EXPECT_EQ(Open()->identity(), kIdentity);
}

TEST_F(DataDirTest, EveryFlippedByteOfTheIdentityIsRefused) {
  Open();
  const std::string good = ReadTextFile(Identity());
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] ^= 1;
    WriteTextFile(Identity(), bad);
    EXPECT_THAT(Failure(), HasSubstr("IDENTITY")) << i;
  }
  WriteTextFile(Identity(), good);
  Open();
}

TEST_F(DataDirTest, TruncatedIdentityIsRefused) {
  Open();
  const std::string good = ReadTextFile(Identity());
  for (size_t bytes = 0; bytes < good.size(); ++bytes) {
    WriteTextFile(Identity(), good.substr(0, bytes));
    EXPECT_THAT(Failure(), AllOf(HasSubstr("damaged"), HasSubstr("restore it from a backup")))
        << bytes;
  }
  WriteTextFile(Identity(), good + "x\n");
  EXPECT_THAT(Failure(), HasSubstr("damaged"));
}

TEST_F(DataDirTest, NewerFormatIsRefusedWithAdvice) {
  Open();
  std::string text = ReadTextFile(Identity());
  text.replace(text.find("format = 1"), 10, "format = 2");
  WriteTextFile(Identity(), text);
  EXPECT_THAT(Failure(), AllOf(HasSubstr("format 2"), HasSubstr("run the newer Rowhouse"),
                               Not(HasSubstr("damaged"))));
}

TEST_F(DataDirTest, OtherShardCountOrShardIsRefusedWithBothValues) {
  Open();
  ShardIdentity other = kIdentity;
  other.shard_count = 5;
  EXPECT_THAT(Failure(other), AllOf(HasSubstr("shard count of 3"), HasSubstr("wants 5")));
  other = kIdentity;
  other.shard = ShardId(2);
  EXPECT_THAT(Failure(other), AllOf(HasSubstr("shard 1"), HasSubstr("wants 2")));
  other = kIdentity;
  other.slot_bits = 15;
  EXPECT_THAT(Failure(other), AllOf(HasSubstr("slot bits 14"), HasSubstr("wants 15")));
  Open();
}

TEST_F(DataDirTest, PathsThatCannotBeWrittenAreRefusedWithAdvice) {
  WriteTextFile(PathIn(temp_, "file"), "");
  path_ = PathIn(temp_, "file");
  EXPECT_THAT(Failure(), HasSubstr("choose another path"));
  path_ = PathIn(temp_, "file/below");
  EXPECT_THAT(Failure(), HasSubstr("choose another path"));
  path_ = "/proc/rowhouse";
  Failure();
  path_ = "";
  EXPECT_THAT(Failure(), HasSubstr("no path"));
}

TEST_F(DataDirTest, RelativePathsAndTrailingSlashesWork) {
  path_ = PathIn(temp_, "c/d/");
  EXPECT_EQ(Open()->identity(), kIdentity);
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(temp_.path());
  path_ = "relative";
  Open();
  std::filesystem::current_path(before);
  EXPECT_TRUE(std::filesystem::exists(PathIn(temp_, "relative/IDENTITY")));
}

}  // namespace
}  // namespace rowhouse

#include "worker/checkpoint/checkpoint_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/worker/checkpoint/checkpoint_test_support.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(CheckpointDirectory, IsMadeWhereItIsMissingAndFoundByItsAbsolutePath) {
  const TempDir dir;
  const std::string path = dir.path() + "/a/../b";
  EXPECT_EQ(CheckpointDirectory::Open(path).status().code(), absl::StatusCode::kNotFound);
  const auto made = CheckpointDirectory::Create(path);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->path(), dir.path() + "/b");
  EXPECT_TRUE(std::filesystem::is_directory(dir.path() + "/b/files"));
  EXPECT_TRUE(CheckpointDirectory::Open(path).ok());
}

TEST(CheckpointDirectory, SaysWhatItCannotMake) {
  const TempDir dir;
  std::ofstream(dir.path() + "/file") << "x";
  const auto made = CheckpointDirectory::Create(dir.path() + "/file/inside");
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("/file/inside"));
}

TEST(CheckpointDirectory, ListsNumbersAndNothingElse) {
  const HandmadeCheckpoints made;
  EXPECT_THAT(*made.directory().Numbers(), ElementsAre());
  made.Add(10, {"a"});
  made.Add(2, {"a"});
  std::ofstream(made.directory().path() + "/checkpoint-00000003.json.tmp") << "half";
  EXPECT_THAT(*made.directory().Numbers(), ElementsAre(Mark(2), Mark(10)));
}

TEST(CheckpointDirectory, ReadsWhatItWroteAndLeavesNoTemporary) {
  const HandmadeCheckpoints made;
  made.Add(4, {"a", "b", "a"});
  const auto manifest = made.directory().Read(Mark(4));
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->shards[0].files.size(), 3u);
  EXPECT_EQ(DistinctBytes(*manifest), 2u) << "a shared file counts once";
  EXPECT_FALSE(std::filesystem::exists(made.directory().ManifestPath(Mark(4)) + ".tmp"));
}

// What the message of a failed Write says.
std::string ErrorOfWrite(const CheckpointDirectory& directory) {
  CheckpointManifest manifest;
  manifest.mark = Mark(4);
  return std::string(directory.Write(manifest).message());
}

TEST(CheckpointDirectory, AFailedWriteNamesTheFileAndWhatToDo) {
  const HandmadeCheckpoints made;
  const std::string temporary = made.directory().ManifestPath(Mark(4)) + ".tmp";
  // The device takes every byte, and cannot be synced.
  std::filesystem::create_symlink("/dev/null", temporary);
  EXPECT_THAT(ErrorOfWrite(made.directory()), HasSubstr("cannot sync '" + temporary + "'"));
  EXPECT_THAT(ErrorOfWrite(made.directory()), HasSubstr("checkpoint 4 does not exist; check"));
  std::filesystem::remove(temporary);
  std::filesystem::create_symlink("/dev/full", temporary);
  EXPECT_THAT(ErrorOfWrite(made.directory()), HasSubstr("cannot write '" + temporary + "'"));
  std::filesystem::remove(temporary);
  std::filesystem::remove_all(made.directory().files_path());
  EXPECT_THAT(ErrorOfWrite(made.directory()), HasSubstr(made.directory().files_path()));
  EXPECT_THAT(*made.directory().Numbers(), ElementsAre());
}

TEST(CheckpointDirectory, NamesAManifestThatIsMissingDamagedOrUnderAnotherNumber) {
  const HandmadeCheckpoints made;
  made.Add(4, {"a"});
  EXPECT_EQ(made.directory().Read(Mark(5)).status().code(), absl::StatusCode::kNotFound);
  std::filesystem::copy_file(made.directory().ManifestPath(Mark(4)),
                             made.directory().ManifestPath(Mark(6)));
  EXPECT_THAT(std::string(made.directory().Read(Mark(6)).status().message()),
              HasSubstr("manifest of checkpoint 4"));
  std::filesystem::resize_file(made.directory().ManifestPath(Mark(4)), 20);
  const absl::Status damaged = made.directory().Read(Mark(4)).status();
  EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(damaged.message()), HasSubstr("checkpoint-00000004.json"));
}

TEST(CheckpointDirectory, IsLockedByOneAtATime) {
  const HandmadeCheckpoints made;
  {
    const auto lock = made.directory().Lock();
    ASSERT_TRUE(lock.ok()) << lock.status();
    const auto second = made.directory().Lock();
    EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(second.status().message()), HasSubstr("being made or pruned"));
  }
  EXPECT_TRUE(made.directory().Lock().ok());
}

}  // namespace
}  // namespace rowhouse

#include "ps/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "storage/posix_log_files.h"
#include "storage/rocks_disk_tier.h"
#include "storage/row_codec.h"
#include "tests/support/shard_driver.h"
#include "tests/unit/storage/test_files.h"

namespace rowhouse {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VerifyTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kRows = 2000;

  // A shard that has flushed rows, and records above its watermark.
  void SetUp() override {
    spec_.name = "t";
    spec_.dim = 8;
    spec_.durability = Durability::kLog;
    identity_ = {Timeline(5), ShardId(0), 1, kSlotBits};
    Open();
    driver_.Create(spec_);
    driver_.Open(ClientId(7), Incarnation(1));
    Push(1);
    ASSERT_TRUE(driver_.Stop());
    Close();
    Open();
    for (uint64_t s = 2; s <= 5; ++s) Push(s);
    Close();
  }

  void Open() {
    auto dir = DataDir::Open(path_, identity_);
    ASSERT_TRUE(dir.ok()) << dir.status();
    dir_ = *std::move(dir);
    driver_.set_disk(*OpenRocksDiskTier(dir_->rows_path()));
    driver_.set_files(*OpenPosixLogFiles(dir_->log_path()));
    const absl::Status status = driver_.Start();
    ASSERT_TRUE(status.ok()) << status;
  }

  void Close() {
    driver_.Crash();
    driver_.set_disk(nullptr);
    driver_.set_files(nullptr);
    dir_.reset();
  }

  void Push(uint64_t sequence) {
    TestPush push;
    push.sequence = push.unretried_below = Sequence(sequence);
    std::vector<Key> keys;
    for (uint64_t key = 0; key < kRows; ++key) keys.push_back(Key(key));
    push.sections = {SectionOf(spec_, keys, std::vector<float>(keys.size() * spec_.dim, 0.5f))};
    ASSERT_TRUE(driver_.Send(Op::kPush, PushBody(push)).status.ok());
  }

  absl::StatusOr<ShardVerdict> Verify() {
    return VerifyShard(path_, [](std::string_view, uint64_t, std::string_view) {});
  }
  ShardVerdict Verdict() {
    auto verdict = Verify();
    EXPECT_TRUE(verdict.ok()) << verdict.status();
    return verdict.ok() ? *verdict : ShardVerdict();
  }

  std::string FileWith(const std::string& folder, const std::string& end) {
    std::string found;
    for (const auto& entry : fs::directory_iterator(path_ + "/" + folder)) {
      const std::string name = entry.path().string();
      if (name.ends_with(end) && (found.empty() || fs::file_size(name) > fs::file_size(found))) {
        found = name;
      }
    }
    EXPECT_FALSE(found.empty());
    return found;
  }

  static void Flip(const std::string& file, size_t at) {
    std::string bytes = ReadTextFile(file);
    ASSERT_LT(at, bytes.size());
    bytes[at] ^= 1;
    WriteTextFile(file, bytes);
  }

  // Every file with its bytes and its time.
  std::map<std::string, std::pair<std::string, fs::file_time_type>> Files() {
    std::map<std::string, std::pair<std::string, fs::file_time_type>> files;
    for (const auto& entry : fs::recursive_directory_iterator(path_)) {
      const std::string bytes = entry.is_regular_file() ? ReadTextFile(entry.path().string()) : "";
      files[entry.path().string()] = {bytes, entry.last_write_time()};
    }
    return files;
  }

  TempDir temp_;
  const std::string path_ = PathIn(temp_, "shard-0");
  TableSpec spec_;
  ShardIdentity identity_;
  ShardDriver driver_;
  std::unique_ptr<DataDir> dir_;
};

TEST_F(VerifyTest, AWholeShardIsWholeAndNothingChanges) {
  const auto before = Files();
  const ShardVerdict verdict = Verdict();
  EXPECT_THAT(verdict.damage, IsEmpty());
  EXPECT_THAT(verdict.notes, IsEmpty());
  EXPECT_EQ(verdict.rows, kRows);
  EXPECT_EQ(verdict.tables, 1u);
  EXPECT_EQ(verdict.watermark, 3u);
  EXPECT_EQ(verdict.records, 4u);
  EXPECT_EQ(verdict.last_lsn, 7u);
  EXPECT_EQ(Files(), before);
}

TEST_F(VerifyTest, FlippedBytesInRowsAreDamageWithTheFile) {
  const std::string file = FileWith("rows", ".sst");
  Flip(file, fs::file_size(file) / 3);
  const ShardVerdict verdict = Verdict();
  EXPECT_FALSE(verdict.whole());
  EXPECT_THAT(verdict.damage.front(), HasSubstr("rowhousectl verify"));
}

TEST_F(VerifyTest, FlippedBytesBelowWhatIsSyncedAreDamageWithFileAndOffset) {
  Flip(FileWith("log", ".rwlog"), 200);  // the first batch, which a later start has synced
  EXPECT_THAT(Verdict().damage, ElementsAre(AllOf(HasSubstr(".rwlog"), HasSubstr("offset"))));
}

TEST_F(VerifyTest, ATornTailIsANoteAndIsNotCut) {
  const std::string file = FileWith("log", ".rwlog");
  fs::resize_file(file, fs::file_size(file) - 100);
  const auto before = Files();
  const ShardVerdict verdict = Verdict();
  EXPECT_TRUE(verdict.whole());
  EXPECT_THAT(verdict.notes, ElementsAre(HasSubstr("torn tail")));
  EXPECT_EQ(verdict.last_lsn, 6u);
  EXPECT_EQ(Files(), before);
}

TEST_F(VerifyTest, RowsThatDoNotDecodeOrBelongElsewhereAreDamage) {
  {
    const auto disk = OpenRocksDiskTier(path_ + "/rows");
    std::vector<DiskEntry> entries;
    for (uint64_t key = 0; key < 30; ++key) {
      entries.push_back({EncodeRowKey(TableIdOf("t"), Key(1'000'000 + key)), "short"});
    }
    std::sort(entries.begin(), entries.end(),
              [](const DiskEntry& a, const DiskEntry& b) { return a.key < b.key; });
    ASSERT_TRUE((*disk)->Ingest(entries).ok());
  }
  const ShardVerdict verdict = Verdict();
  ASSERT_EQ(verdict.damage.size(), kDamageMax + 1);
  EXPECT_THAT(verdict.damage.front(), HasSubstr("5 bytes"));
  EXPECT_EQ(verdict.damage.back(), "and 10 more");
  EXPECT_EQ(verdict.rows, kRows);

  // The same rows, read as those of one shard of two.
  fs::remove(path_ + "/IDENTITY");
  fs::rename(path_ + "/rows", PathIn(temp_, "rows"));
  fs::rename(path_ + "/log", PathIn(temp_, "log"));
  fs::remove_all(path_);
  identity_.shard_count = 2;
  ASSERT_TRUE(DataDir::Open(path_, identity_).ok());
  fs::rename(PathIn(temp_, "rows"), path_ + "/rows");
  fs::rename(PathIn(temp_, "log"), path_ + "/log");
  const ShardVerdict other = Verdict();
  EXPECT_FALSE(other.whole());
  EXPECT_THAT(other.damage, ::testing::Contains(HasSubstr("belongs to shard 1")));
}

TEST_F(VerifyTest, MissingPartsAndADamagedIdentityAreDamage) {
  fs::rename(path_ + "/log", path_ + "/elsewhere");
  EXPECT_THAT(Verdict().damage, ElementsAre(HasSubstr("is missing")));
  fs::rename(path_ + "/elsewhere", path_ + "/log");
  fs::rename(path_ + "/rows/CURRENT", path_ + "/rows/AWAY");
  EXPECT_THAT(Verdict().damage.front(), HasSubstr("CURRENT"));
  Flip(path_ + "/IDENTITY", 60);
  EXPECT_THAT(Verdict().damage, ElementsAre(HasSubstr("IDENTITY")));
}

TEST_F(VerifyTest, ARunningServerAndAMissingDirectoryAreRefused) {
  Open();
  const auto running = Verify();
  EXPECT_EQ(running.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(running.status().message()), HasSubstr("in use"));
  Close();
  fs::remove_all(path_);
  EXPECT_EQ(Verify().status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(fs::exists(path_));
}

}  // namespace
}  // namespace rowhouse

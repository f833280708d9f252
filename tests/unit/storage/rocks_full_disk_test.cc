#include "storage/rocks_full_disk.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/file_system.h>
#include <rocksdb/listener.h>
#include <rocksdb/sst_file_writer.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "common/text.h"
#include "tests/support/temp_dir.h"

namespace rowhouse {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// Has space for so many appends to files with `word` in their name.
class FullFiles final : public rocksdb::FileSystemWrapper {
 public:
  explicit FullFiles(std::string word)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), word_(std::move(word)) {}
  const char* Name() const override { return "full files"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           IODebugContext* debug) override {
    IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
    const bool watched = path.find(word_) != std::string::npos;
    if (status.ok() && watched) *file = std::make_unique<File>(std::move(*file), this);
    return status;
  }

  static constexpr int kPlenty = 1 << 30;
  std::atomic<int> appends_left = kPlenty;

 private:
  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile> file, FullFiles* files)
        : FSWritableFileOwnerWrapper(std::move(file)), files_(files) {}
    IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                    IODebugContext* debug) override {
      if (--files_->appends_left >= 0) {
        return FSWritableFileOwnerWrapper::Append(data, options, debug);
      }
      return IOStatus::NoSpace("No space left on device");
    }

   private:
    FullFiles* const files_;
  };

  const std::string word_;
};

// Counts how often RocksDB has come back by itself.
class Recoveries final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo&) override {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  bool AwaitMoreThan(int count, std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline, [&] { return count_ > count; });
  }

 private:
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  int count_ = 0;
};

class RocksFullDisk : public ::testing::Test {
 protected:
  void Open(const std::string& word) {
    files_ = std::make_shared<FullFiles>(word);
    full_env_ = rocksdb::NewCompositeEnv(files_);
    options_.create_if_missing = true;
    options_.info_log = MakeRocksLogger();
    options_.env = full_env_.get();
    options_.listeners.push_back(recoveries_);
    env_ = SurviveFullDisk(&options_);
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options_, dir_.path() + "/rows", &db);
    ASSERT_TRUE(status.ok()) << status.ToString();
    db_.reset(db);
  }

  rocksdb::Status Ingest(const std::string& value) {
    const std::string file = StrCat(dir_.path(), "/", ++file_count_, ".sst");
    rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options_);
    rocksdb::Status status = writer.Open(file);
    if (status.ok()) status = writer.Put("key", value);
    if (status.ok()) status = writer.Finish();
    if (status.ok()) status = db_->IngestExternalFile({file}, rocksdb::IngestExternalFileOptions());
    return status;
  }

  // The first success within 30 s; RocksDB tries to come back every second.
  rocksdb::Status IngestWhenBack(const std::string& value) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (true) {
      const int before = recoveries_->count();
      const rocksdb::Status status = Ingest(value);
      if (status.ok() || !recoveries_->AwaitMoreThan(before, deadline)) return status;
    }
  }

  std::string Get() {
    std::string value;
    const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), "key", &value);
    return status.ok() ? value : status.ToString();
  }

  TempDir dir_;
  const std::shared_ptr<Recoveries> recoveries_ = std::make_shared<Recoveries>();
  rocksdb::Options options_;
  std::shared_ptr<FullFiles> files_;
  std::unique_ptr<rocksdb::Env> full_env_;
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
  int file_count_ = 0;
};

// An ingest appends to the manifest twice; after the second failed RocksDB stops.
TEST_F(RocksFullDisk, ManifestWithoutSpaceRefusesIngestsUntilThereIsSpace) {
  Open("MANIFEST");
  ASSERT_TRUE(Ingest("before").ok());
  for (int appends = 0; appends < 2; ++appends) {
    const std::string before = Get();
    files_->appends_left = appends;
    for (int i = 0; i < 3; ++i) {
      const rocksdb::Status status = Ingest("refused");
      EXPECT_TRUE(IsFullDisk(status)) << status.ToString();
      EXPECT_EQ(Get(), before);
    }
    files_->appends_left = FullFiles::kPlenty;
    const rocksdb::Status back = IngestWhenBack(StrCat("after ", appends));
    EXPECT_TRUE(back.ok()) << back.ToString();
    EXPECT_EQ(Get(), StrCat("after ", appends));
  }
}

TEST_F(RocksFullDisk, TableFileWithoutSpaceIsRefusedAndNothingElse) {
  Open(".sst");
  ASSERT_TRUE(Ingest("before").ok());
  files_->appends_left = 0;
  EXPECT_TRUE(IsFullDisk(Ingest("refused")));
  files_->appends_left = FullFiles::kPlenty;
  EXPECT_TRUE(Ingest("after").ok());
  EXPECT_EQ(Get(), "after");
}

TEST_F(RocksFullDisk, NoLogFileLiesInTheDatabase) {
  Open("nothing");
  EXPECT_FALSE(std::filesystem::exists(dir_.path() + "/rows/LOG"));
}

}  // namespace
}  // namespace rowhouse

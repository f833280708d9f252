#include "tests/support/power_cut_fs.h"

#include <glog/logging.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/system_clock.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/text.h"

namespace rowhouse {
namespace {

namespace fs = std::filesystem;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

IOStatus NoPower() { return IOStatus::IOError("the power is off"); }

std::string Directory(const std::string& path) { return fs::path(path).parent_path().string(); }

struct stat StatOf(const std::string& path) {
  struct stat info = {};
  ::stat(path.c_str(), &info);
  return info;
}

// One change of a directory's entries, with what it takes to undo it.
struct Change {
  std::string made;       // a name that came into being
  std::string from;       // its former name, where it was renamed
  std::string displaced;  // a name that went away or was replaced
  std::string backup;     // another link to what it named
};

}  // namespace

class PowerCutFs::Impl final : public rocksdb::FileSystemWrapper {
 public:
  explicit Impl(uint64_t seed) : FileSystemWrapper(rocksdb::FileSystem::Default()), random_(seed) {}

  const char* Name() const override { return "PowerCutFs"; }

  // Whether a change may still be made; counts it.
  bool MayChange() {
    if (left_ == 0) return false;
    if (left_ != kUnlimited) --left_;
    return true;
  }

  // For the file wrapper.
  template <typename Do>
  IOStatus Changing(Do act) {
    const std::lock_guard lock(mutex_);
    return MayChange() ? act() : NoPower();
  }
  // The real disk is not asked: what counts as synced is decided here, and quickly.
  IOStatus Sync(const std::string& path) {
    return Changing([&] {
      const struct stat info = StatOf(path);
      if (!swallow_) synced_bytes_[info.st_ino] = static_cast<uint64_t>(info.st_size);
      return IOStatus::OK();
    });
  }
  IOStatus SyncDirectory(const std::string& path) {
    return Changing([&] {
      if (!swallow_) Forget(path);
      return IOStatus::OK();
    });
  }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext* debug) override;
  IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                              IODebugContext* debug) override;
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext* debug) override;

  IOStatus DeleteFile(const std::string& path, const IOOptions& options,
                      IODebugContext* debug) override {
    return Changing([&] {
      const Change change{.displaced = path, .backup = BackUp(path)};
      const IOStatus status = target()->DeleteFile(path, options, debug);
      if (status.ok()) changes_[Directory(path)].push_back(change);
      return status;
    });
  }

  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    return Changing([&] {
      Change change{.made = to, .from = from};
      if (fs::exists(to)) {
        change.displaced = to;
        change.backup = BackUp(to);
      }
      const IOStatus status = target()->RenameFile(from, to, options, debug);
      if (status.ok()) changes_[Directory(to)].push_back(change);
      return status;
    });
  }

  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    IODebugContext* debug) override {
    return Changing([&] {
      const IOStatus status = target()->LinkFile(from, to, options, debug);
      if (status.ok()) changes_[Directory(to)].push_back({.made = to});
      return status;
    });
  }

  void DieAfter(uint64_t changes) {
    const std::lock_guard lock(mutex_);
    left_ = changes;
  }
  bool dead() const {
    const std::lock_guard lock(mutex_);
    return left_ == 0;
  }
  void SwallowSyncs(bool swallow) {
    const std::lock_guard lock(mutex_);
    swallow_ = swallow;
  }

  void PowerCut() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> directories;
    for (auto& [directory, changes] : changes_) {
      directories.push_back(directory);
      const size_t kept = random_() % 3 == 0 ? random_() % (changes.size() + 1) : 0;
      for (size_t i = changes.size(); i > kept; --i) Undo(changes[i - 1]);
      for (size_t i = 0; i < kept; ++i) fs::remove(changes[i].backup);
    }
    changes_.clear();
    for (const std::string& directory : directories) DropUnsynced(directory);
    left_ = kUnlimited;
  }

  uint64_t bytes_lost() const { return bytes_lost_; }
  uint64_t entries_undone() const { return entries_undone_; }

 private:
  static constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

  template <typename Open>
  IOStatus Opening(const std::string& path, bool truncates,
                   std::unique_ptr<rocksdb::FSWritableFile>* result, Open open);

  // REQUIRES: mutex_ is held. The link lies beside the directory, where RocksDB does not look.
  std::string BackUp(const std::string& path) {
    const std::string directory = Directory(path) + ".undo";
    fs::create_directories(directory);
    const std::string backup = StrCat(directory, "/", next_backup_++);
    std::error_code error;
    fs::create_hard_link(path, backup, error);
    return error ? "" : backup;
  }

  void Forget(const std::string& directory) {
    for (const Change& change : changes_[directory]) {
      if (!change.backup.empty()) fs::remove(change.backup);
    }
    changes_[directory].clear();
  }

  void Undo(const Change& change) {
    ++entries_undone_;
    std::error_code ignored;  // others, who go past us, may have removed it
    if (!change.made.empty()) {
      if (change.from.empty()) {
        const struct stat info = StatOf(change.made);
        if (info.st_nlink == 1) bytes_lost_ += static_cast<uint64_t>(info.st_size);
        fs::remove(change.made, ignored);
      } else {
        fs::rename(change.made, change.from, ignored);
      }
    }
    if (!change.backup.empty()) fs::rename(change.backup, change.displaced, ignored);
  }

  void DropUnsynced(const std::string& directory) {
    if (!fs::exists(directory)) return;
    for (const auto& entry : fs::directory_iterator(directory)) {
      const struct stat info = StatOf(entry.path().string());
      const auto found = synced_bytes_.find(info.st_ino);
      const auto bytes = static_cast<uint64_t>(info.st_size);
      if (found == synced_bytes_.end() || found->second >= bytes) continue;
      const uint64_t unsynced = bytes - found->second;
      const uint64_t kept = random_() % 3 == 0 ? random_() % (unsynced + 1) : 0;
      bytes_lost_ += unsynced - kept;
      fs::resize_file(entry.path(), found->second + kept);
      found->second += kept;
    }
  }

  mutable std::mutex mutex_;
  std::mt19937_64 random_;  // this and all below guarded by mutex_
  uint64_t left_ = kUnlimited;
  bool swallow_ = false;
  std::map<ino_t, uint64_t> synced_bytes_;              // of files opened for writing
  std::map<std::string, std::vector<Change>> changes_;  // by directory, since its last sync
  uint64_t next_backup_ = 0;
  uint64_t bytes_lost_ = 0;
  uint64_t entries_undone_ = 0;
};

namespace {

template <typename Plug>
class File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(std::string path, std::unique_ptr<rocksdb::FSWritableFile> file, Plug* plug)
      : FSWritableFileOwnerWrapper(std::move(file)), path_(std::move(path)), plug_(plug) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    return plug_->Changing([&] { return target()->Append(data, options, debug); });
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& info, IODebugContext* debug) override {
    return plug_->Changing([&] { return target()->Append(data, options, info, debug); });
  }
  IOStatus PositionedAppend(const rocksdb::Slice& data, uint64_t offset, const IOOptions& options,
                            IODebugContext* debug) override {
    return plug_->Changing(
        [&] { return target()->PositionedAppend(data, offset, options, debug); });
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    return plug_->Changing([&] { return target()->Truncate(size, options, debug); });
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return plug_->Sync(path_); }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return plug_->Sync(path_); }

 private:
  const std::string path_;
  Plug* const plug_;
};

template <typename Plug>
class DirectoryFile final : public rocksdb::FSDirectoryWrapper {
 public:
  DirectoryFile(std::string path, std::unique_ptr<rocksdb::FSDirectory>&& directory, Plug* plug)
      : FSDirectoryWrapper(std::move(directory)), path_(std::move(path)), plug_(plug) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return plug_->SyncDirectory(path_); }
  IOStatus FsyncWithDirOptions(const IOOptions&, IODebugContext*,
                               const rocksdb::DirFsyncOptions&) override {
    return plug_->SyncDirectory(path_);
  }

 private:
  const std::string path_;
  Plug* const plug_;
};

}  // namespace

template <typename Open>
IOStatus PowerCutFs::Impl::Opening(const std::string& path, bool truncates,
                                   std::unique_ptr<rocksdb::FSWritableFile>* result, Open open) {
  return Changing([&] {
    const bool is_new = !fs::exists(path);
    std::unique_ptr<rocksdb::FSWritableFile> file;
    IOStatus status = open(&file);
    if (!status.ok()) return status;
    if (is_new) changes_[Directory(path)].push_back({.made = path});
    if (is_new || truncates) synced_bytes_[StatOf(path).st_ino] = 0;
    *result = std::make_unique<File<Impl>>(path, std::move(file), this);
    return status;
  });
}

IOStatus PowerCutFs::Impl::NewWritableFile(const std::string& path,
                                           const rocksdb::FileOptions& options,
                                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                                           IODebugContext* debug) {
  return Opening(path, /*truncates=*/true, result,
                 [&](auto* file) { return target()->NewWritableFile(path, options, file, debug); });
}

IOStatus PowerCutFs::Impl::ReopenWritableFile(const std::string& path,
                                              const rocksdb::FileOptions& options,
                                              std::unique_ptr<rocksdb::FSWritableFile>* result,
                                              IODebugContext* debug) {
  return Opening(path, /*truncates=*/false, result, [&](auto* file) {
    return target()->ReopenWritableFile(path, options, file, debug);
  });
}

IOStatus PowerCutFs::Impl::NewDirectory(const std::string& path, const IOOptions& options,
                                        std::unique_ptr<rocksdb::FSDirectory>* result,
                                        IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> directory;
  IOStatus status = target()->NewDirectory(path, options, &directory, debug);
  if (status.ok()) {
    // RocksDB may name it with a slash at the end.
    const std::string name = fs::path(path + "/").parent_path().string();
    *result = std::make_unique<DirectoryFile<Impl>>(name, std::move(directory), this);
  }
  return status;
}

namespace {

// After an error RocksDB waits for a second before it tries a compaction again.
class ImpatientClock final : public rocksdb::SystemClockWrapper {
 public:
  ImpatientClock() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "ImpatientClock"; }
  void SleepForMicroseconds(int micros) override {
    SystemClockWrapper::SleepForMicroseconds(std::min(micros, 1000));
  }
};

class PluggedEnv final : public rocksdb::EnvWrapper {
 public:
  explicit PluggedEnv(std::shared_ptr<rocksdb::FileSystem> file_system)
      : EnvWrapper(rocksdb::Env::Default()) {
    file_system_ = std::move(file_system);
    system_clock_ = std::make_shared<ImpatientClock>();
  }
};

}  // namespace

PowerCutFs::PowerCutFs(uint64_t seed)
    : impl_(std::make_shared<Impl>(seed)), env_(std::make_unique<PluggedEnv>(impl_)) {}
PowerCutFs::~PowerCutFs() = default;

rocksdb::Env* PowerCutFs::env() { return env_.get(); }
void PowerCutFs::DieAfter(uint64_t changes) { impl_->DieAfter(changes); }
bool PowerCutFs::dead() const { return impl_->dead(); }
void PowerCutFs::PowerCut() { impl_->PowerCut(); }
void PowerCutFs::SwallowSyncs(bool swallow) { impl_->SwallowSyncs(swallow); }
uint64_t PowerCutFs::bytes_lost() const { return impl_->bytes_lost(); }
uint64_t PowerCutFs::entries_undone() const { return impl_->entries_undone(); }

}  // namespace rowhouse

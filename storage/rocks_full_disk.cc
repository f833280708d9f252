#include "storage/rocks_full_disk.h"

#include <glog/logging.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/options.h>

#include <cstdarg>
#include <cstdio>
#include <string>
#include <utility>

namespace rowhouse {
namespace {

using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr char kNoSpace[] = "No space left on device";

class ErrorsToLog final : public rocksdb::Logger {
 public:
  ErrorsToLog() : Logger(rocksdb::InfoLogLevel::ERROR_LEVEL) {}

  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    char text[1024];
    std::vsnprintf(text, sizeof(text), format, arguments);
    LOG_EVERY_N(ERROR, 10) << "RocksDB: " << text;
  }
};

IOStatus MayPass(IOStatus status) {
  if (status.subcode() != IOStatus::SubCode::kNoSpace) return status;
  IOStatus may_pass = IOStatus::IOError(kNoSpace, status.ToString());
  may_pass.SetRetryable(true);
  return may_pass;
}

class File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return MayPass(FSWritableFileOwnerWrapper::Append(data, options, debug));
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& info, IODebugContext* debug) override {
    return MayPass(FSWritableFileOwnerWrapper::Append(data, options, info, debug));
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    return MayPass(FSWritableFileOwnerWrapper::Close(options, debug));
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
    return MayPass(FSWritableFileOwnerWrapper::Flush(options, debug));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return MayPass(FSWritableFileOwnerWrapper::Sync(options, debug));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return MayPass(FSWritableFileOwnerWrapper::Fsync(options, debug));
  }
  IOStatus RangeSync(uint64_t offset, uint64_t bytes, const IOOptions& options,
                     IODebugContext* debug) override {
    return MayPass(FSWritableFileOwnerWrapper::RangeSync(offset, bytes, options, debug));
  }
};

class Files final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "rowhouse files"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) override {
    return Wrapped(FileSystemWrapper::NewWritableFile(path, options, file, debug), file);
  }
  IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                              std::unique_ptr<FSWritableFile>* file,
                              IODebugContext* debug) override {
    return Wrapped(FileSystemWrapper::ReopenWritableFile(path, options, file, debug), file);
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    return MayPass(FileSystemWrapper::RenameFile(from, to, options, debug));
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    IODebugContext* debug) override {
    return MayPass(FileSystemWrapper::LinkFile(from, to, options, debug));
  }

 private:
  static IOStatus Wrapped(IOStatus status, std::unique_ptr<FSWritableFile>* file) {
    if (!status.ok()) return MayPass(std::move(status));
    *file = std::make_unique<File>(std::move(*file));
    return status;
  }
};

// All but the files as in the one below it, its clock included.
class Env final : public rocksdb::EnvWrapper {
 public:
  explicit Env(rocksdb::Env* below) : EnvWrapper(below) {
    file_system_ = std::make_shared<Files>(below->GetFileSystem());
    system_clock_ = below->GetSystemClock();
  }
};

}  // namespace

std::shared_ptr<rocksdb::Logger> MakeRocksLogger() { return std::make_shared<ErrorsToLog>(); }

std::unique_ptr<rocksdb::Env> SurviveFullDisk(rocksdb::Options* options) {
  auto env = std::make_unique<Env>(options->env);
  options->env = env.get();
  return env;
}

bool IsFullDisk(const rocksdb::Status& status) {
  return status.IsNoSpace() || status.ToString().find(kNoSpace) != std::string::npos;
}

}  // namespace rowhouse

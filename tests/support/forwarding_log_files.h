// Log files that hand every call on to others: tests override what they change.
//
// Threading: as the others.
// Ownership: a file owns the one that it forwards to; the directory's is the caller's, and it must
//   outlive this one.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/log_files.h"

namespace rowhouse {

class ForwardingLogFile : public LogFile {
 public:
  explicit ForwardingLogFile(std::unique_ptr<LogFile> file) : file_(std::move(file)) {}

  absl::Status Append(std::span<const std::span<const std::byte>> pieces) override {
    return file_->Append(pieces);
  }
  absl::Status Sync() override { return file_->Sync(); }
  absl::Status Rewrite(uint64_t offset, std::span<const std::byte> bytes) override {
    return file_->Rewrite(offset, bytes);
  }
  absl::Status Truncate(uint64_t bytes) override { return file_->Truncate(bytes); }
  uint64_t size_bytes() const override { return file_->size_bytes(); }

 private:
  const std::unique_ptr<LogFile> file_;
};

class ForwardingLogFiles : public LogFiles {
 public:
  explicit ForwardingLogFiles(LogFiles* files) : files_(files) {}

  absl::StatusOr<std::unique_ptr<LogFile>> Create(std::string_view name) override {
    return WrapIfOpened(files_->Create(name));
  }
  absl::StatusOr<std::unique_ptr<LogFile>> OpenForAppend(std::string_view name) override {
    return WrapIfOpened(files_->OpenForAppend(name));
  }
  absl::StatusOr<std::vector<std::byte>> Read(std::string_view name, uint64_t offset,
                                              size_t bytes) const override {
    return files_->Read(name, offset, bytes);
  }
  absl::StatusOr<uint64_t> SizeBytes(std::string_view name) const override {
    return files_->SizeBytes(name);
  }
  absl::StatusOr<std::vector<std::string>> List() const override { return files_->List(); }
  absl::StatusOr<RemovedFile> Remove(std::string_view name) override {
    return files_->Remove(name);
  }
  std::string LinkPath(std::string_view name) const override { return files_->LinkPath(name); }
  std::string Describe(std::string_view name) const override { return files_->Describe(name); }

 protected:
  // What becomes of an opened file.
  virtual std::unique_ptr<LogFile> Wrap(std::unique_ptr<LogFile> file) { return file; }

 private:
  absl::StatusOr<std::unique_ptr<LogFile>> WrapIfOpened(
      absl::StatusOr<std::unique_ptr<LogFile>> file) {
    if (!file.ok()) return file;
    return Wrap(*std::move(file));
  }

  LogFiles* const files_;
};

}  // namespace rowhouse

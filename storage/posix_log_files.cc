#include "storage/posix_log_files.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "storage/direct_file.h"
#include "storage/iovecs.h"
#include "storage/posix_file.h"
#include "storage/push_log_format.h"

namespace rowhouse {
namespace {

class PosixLogFile final : public LogFile {
 public:
  PosixLogFile(std::string path, UniqueFd fd, LogWrites writes, uint64_t size_bytes)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        direct_(writes == LogWrites::kDirect ? DirectFile::Open(path_) : nullptr),
        size_bytes_(size_bytes) {}

  absl::Status Append(std::span<const std::span<const std::byte>> pieces) override {
    std::vector<iovec> iovecs = ToIovecs(pieces);
    std::span<iovec> left = iovecs;
    if (direct_ != nullptr && TotalBytes(left) >= kDirectBytesMin) {
      RETURN_IF_ERROR(FillBlock(&left));
      RETURN_IF_ERROR(direct_->WriteBlocks(&size_bytes_, &left));
    }
    return WriteAt(&size_bytes_, left);
  }

  absl::Status Sync() override {
    return fdatasync(fd_.get()) == 0 ? absl::OkStatus() : PosixError("sync", path_);
  }

  absl::Status Rewrite(uint64_t offset, std::span<const std::byte> bytes) override {
    std::vector<iovec> iovecs = ToIovecs(std::span(&bytes, 1));
    return WriteAt(&offset, iovecs);
  }

  absl::Status Truncate(uint64_t bytes) override {
    int result;
    do {
      result = ftruncate(fd_.get(), static_cast<off_t>(bytes));
    } while (result != 0 && errno == EINTR);
    if (result != 0) return PosixError("truncate", path_);
    size_bytes_ = bytes;
    return absl::OkStatus();
  }

  uint64_t size_bytes() const override { return size_bytes_; }

 private:
  // Below it, the copy into the page cache is quicker than the disk.
  static constexpr size_t kDirectBytesMin = 128 << 10;
  static_assert(kLogBlockBytes == DirectFile::kBlockBytes);

  // Appends as much as makes the file end with a whole block, so that no block is written both
  // through the page cache and past it, which would make each wait for the other.
  absl::Status FillBlock(std::span<iovec>* left) {
    constexpr size_t kBlockBytes = DirectFile::kBlockBytes;
    std::array<std::byte, kBlockBytes> buffer;
    const auto bytes =
        std::span(buffer).first((kBlockBytes - size_bytes_ % kBlockBytes) % kBlockBytes);
    *left = CopyFront(*left, bytes);
    iovec piece = {bytes.data(), bytes.size()};
    return bytes.empty() ? absl::OkStatus() : WriteAt(&size_bytes_, {&piece, 1});
  }

  // Leaves `offset` behind what was written.
  absl::Status WriteAt(uint64_t* offset, std::span<iovec> left) {
    while (!left.empty()) {
      const int count = static_cast<int>(std::min<size_t>(left.size(), IOV_MAX));
      const ssize_t written = pwritev(fd_.get(), left.data(), count, static_cast<off_t>(*offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return PosixError("write", path_);
      if (written == 0)
        return absl::UnavailableError(StrCat("cannot write ", path_, ": no progress"));
      *offset += static_cast<uint64_t>(written);
      left = Advance(left, static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  const std::string path_;
  const UniqueFd fd_;
  const std::unique_ptr<DirectFile> direct_;  // null: none
  uint64_t size_bytes_;
};

class PosixLogFiles final : public LogFiles {
 public:
  PosixLogFiles(std::string directory, LogWrites writes)
      : directory_(std::move(directory)), writes_(writes) {}

  absl::StatusOr<std::unique_ptr<LogFile>> Create(std::string_view name) override {
    const std::string path = Describe(name);
    ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, "create"));
    if (absl::Status status = SyncDirectory(directory_); !status.ok()) {
      unlink(path.c_str());
      return status;
    }
    return std::make_unique<PosixLogFile>(path, std::move(fd), writes_, 0);
  }

  absl::StatusOr<std::unique_ptr<LogFile>> OpenForAppend(std::string_view name) override {
    const std::string path = Describe(name);
    ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_WRONLY, "open"));
    RETURN_IF_ERROR(SyncDirectory(directory_));  // a process that died may not have come to it
    ASSIGN_OR_RETURN(const uint64_t size_bytes, SizeBytes(name));
    return std::make_unique<PosixLogFile>(path, std::move(fd), writes_, size_bytes);
  }

  absl::StatusOr<std::vector<std::byte>> Read(std::string_view name, uint64_t offset,
                                              size_t bytes) const override {
    const std::string path = Describe(name);
    ASSIGN_OR_RETURN(const uint64_t size_bytes, SizeBytes(name));
    if (offset >= size_bytes) return std::vector<std::byte>();
    ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(path, O_RDONLY, "open"));
    std::vector<std::byte> out(std::min<uint64_t>(bytes, size_bytes - offset));
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t got =
          pread(fd.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return PosixError("read", path);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    out.resize(done);
    return out;
  }

  absl::StatusOr<uint64_t> SizeBytes(std::string_view name) const override {
    const std::string path = Describe(name);
    struct stat info;
    if (stat(path.c_str(), &info) != 0) return PosixError("look at", path);
    return static_cast<uint64_t>(info.st_size);
  }

  absl::StatusOr<std::vector<std::string>> List() const override {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator at(directory_, error);
    for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
      if (at->is_regular_file(error)) names.push_back(at->path().filename().string());
    }
    if (error) {
      return absl::UnavailableError(StrCat("cannot list ", directory_, ": ", error.message()));
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  // The system frees the blocks of a file when its last descriptor is closed.
  absl::StatusOr<RemovedFile> Remove(std::string_view name) override {
    const std::string path = Describe(name);
    ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_PATH, "remove"));
    if (unlink(path.c_str()) != 0) return PosixError("remove", path);
    return std::make_shared<const UniqueFd>(std::move(fd));
  }

  std::string LinkPath(std::string_view name) const override { return Describe(name); }
  std::string Describe(std::string_view name) const override {
    return StrCat(directory_, "/", name);
  }

 private:
  const std::string directory_;
  const LogWrites writes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LogFiles>> OpenPosixLogFiles(const std::string& directory,
                                                            LogWrites writes) {
  RETURN_IF_ERROR(CreateDirectories(directory));
  return std::make_unique<PosixLogFiles>(directory, writes);
}

}  // namespace rowhouse

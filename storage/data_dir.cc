#include "storage/data_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "common/status_macros.h"
#include "common/text.h"
#include "storage/posix_file.h"
#include "storage/shard_identity.h"

namespace rowhouse {
namespace {

constexpr size_t kIdentityBytesMax = 4096;

std::string IdentityPath(const std::string& path) { return path + "/IDENTITY"; }
std::string TemporaryPath(const std::string& path) { return path + "/IDENTITY.new"; }
std::string LockPath(const std::string& path) { return path + "/LOCK"; }

absl::Status About(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(), StrCat("data directory ", path, ": ", status.message()));
}

// What an interrupted creation may have left, and what a fresh file system holds.
bool MayPrecedeIdentity(std::string_view name) {
  return name == "LOCK" || name == "IDENTITY.new" || name == "lost+found";
}

absl::StatusOr<bool> HasIdentity(const std::string& path) {
  if (access(IdentityPath(path).c_str(), F_OK) == 0) return true;
  if (errno == ENOENT) return false;
  return PosixError("look at", IdentityPath(path));
}

// Nothing is written into a directory that may be somebody else's.
absl::Status CheckNotForeign(const std::string& path) {
  ASSIGN_OR_RETURN(const bool has_identity, HasIdentity(path));
  if (has_identity) return absl::OkStatus();
  std::error_code error;
  std::filesystem::directory_iterator at(path, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (MayPrecedeIdentity(name)) continue;
    return absl::FailedPreconditionError(
        StrCat("it holds '", name,
               "' but no IDENTITY file, so it is not Rowhouse's; choose an empty or "
               "new directory (or, if it was Rowhouse's, put its IDENTITY file back)"));
  }
  if (error) return absl::UnavailableError(StrCat("cannot list it: ", error.message()));
  return absl::OkStatus();
}

// flock belongs to the open file, so a second Open in one process is refused as well.
absl::StatusOr<UniqueFd> TakeLock(const std::string& path, int flags = O_RDWR | O_CREAT) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(LockPath(path), flags, "open"));
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno != EWOULDBLOCK) return PosixError("lock", LockPath(path));
  return absl::FailedPreconditionError(
      "it is in use by another server; stop that one or choose another directory");
}

absl::StatusOr<std::string> ReadIdentity(const std::string& path) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(IdentityPath(path), O_RDONLY, "read"));
  std::string text(kIdentityBytesMax, '\0');
  ssize_t got;
  do {
    got = pread(fd.get(), text.data(), text.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return PosixError("read", IdentityPath(path));
  text.resize(static_cast<size_t>(got));
  return text;
}

absl::Status WriteAndSync(const std::string& path, std::string_view text) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, "write"));
  while (!text.empty()) {
    const ssize_t written = write(fd.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return PosixError("write", path);
    text.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(fd.get()) == 0 ? absl::OkStatus() : PosixError("sync", path);
}

// Complete or absent, whenever the machine stops.
absl::Status WriteIdentity(const std::string& path, const ShardIdentity& identity) {
  RETURN_IF_ERROR(WriteAndSync(TemporaryPath(path), EncodeIdentity(identity)));
  if (std::rename(TemporaryPath(path).c_str(), IdentityPath(path).c_str()) != 0) {
    return PosixError("create", IdentityPath(path));
  }
  return SyncDirectory(path);
}

absl::Status CheckSame(std::string_view field, uint64_t found, uint64_t wanted,
                       std::string_view advice) {
  if (found == wanted) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat("it was made for ", field, " ", found, ", this server wants ", wanted, "; ", advice));
}

absl::Status CheckIdentity(const ShardIdentity& found, const ShardIdentity& wanted) {
  RETURN_IF_ERROR(CheckSame("a shard count of", found.shard_count, wanted.shard_count,
                            "start as many shards as there were, or choose another directory"));
  RETURN_IF_ERROR(CheckSame("shard", found.shard.value(), wanted.shard.value(),
                            "give each server the directory that it had before"));
  return CheckSame("slot bits", found.slot_bits, wanted.slot_bits,
                   "run the Rowhouse that made it, or choose another directory");
}

absl::StatusOr<ShardIdentity> LoadIdentity(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadIdentity(path));
  absl::StatusOr<ShardIdentity> found = DecodeIdentity(text);
  if (found.ok()) return found;
  return absl::Status(found.status().code(),
                      StrCat("file IDENTITY: ", found.status().message(),
                             "; restore it from a backup, or choose another directory"));
}

absl::StatusOr<ShardIdentity> LoadOrCreate(const std::string& path, const ShardIdentity& wanted) {
  ASSIGN_OR_RETURN(const bool has_identity, HasIdentity(path));
  if (!has_identity) {
    RETURN_IF_ERROR(WriteIdentity(path, wanted));
    return wanted;
  }
  ASSIGN_OR_RETURN(const ShardIdentity found, LoadIdentity(path));
  RETURN_IF_ERROR(CheckIdentity(found, wanted));
  return found;
}

struct Opened {
  UniqueFd lock;
  ShardIdentity identity;
};

absl::StatusOr<Opened> OpenParts(const std::string& path, const ShardIdentity& wanted) {
  if (path.empty()) return absl::InvalidArgumentError("no path is given");
  RETURN_IF_ERROR(CreateDirectories(path));
  RETURN_IF_ERROR(CheckNotForeign(path));
  ASSIGN_OR_RETURN(UniqueFd lock, TakeLock(path));
  ASSIGN_OR_RETURN(const ShardIdentity identity, LoadOrCreate(path, wanted));
  return Opened{std::move(lock), identity};
}

// Where there is no lock file, as in a copy of a directory, there is no server either.
absl::StatusOr<Opened> OpenExistingParts(const std::string& path) {
  ASSIGN_OR_RETURN(const bool has_identity, HasIdentity(path));
  if (!has_identity) {
    return absl::NotFoundError(
        "there is no such directory, or it has no IDENTITY file and is not Rowhouse's");
  }
  UniqueFd lock;
  if (access(LockPath(path).c_str(), F_OK) == 0) {
    ASSIGN_OR_RETURN(lock, TakeLock(path, O_RDONLY));
  }
  ASSIGN_OR_RETURN(const ShardIdentity identity, LoadIdentity(path));
  return Opened{std::move(lock), identity};
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataDir>> DataDir::Open(const std::string& path,
                                                       const ShardIdentity& identity) {
  absl::StatusOr<Opened> opened = OpenParts(path, identity);
  if (!opened.ok()) return About(path, opened.status());
  return std::unique_ptr<DataDir>(new DataDir(path, opened->identity, opened->lock.Release()));
}

absl::StatusOr<std::unique_ptr<DataDir>> DataDir::OpenExisting(const std::string& path) {
  absl::StatusOr<Opened> opened = OpenExistingParts(path);
  if (!opened.ok()) return About(path, opened.status());
  return std::unique_ptr<DataDir>(new DataDir(path, opened->identity, opened->lock.Release()));
}

absl::Status WriteDataDirIdentity(const std::string& path, const ShardIdentity& identity) {
  const absl::Status status = WriteIdentity(path, identity);
  return status.ok() ? status : About(path, status);
}

DataDir::~DataDir() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

}  // namespace rowhouse

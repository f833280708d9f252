#include "storage/posix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "common/status_macros.h"
#include "common/text.h"

namespace rowhouse {
namespace {

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
      return absl::StatusCode::kResourceExhausted;
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
      return absl::StatusCode::kInvalidArgument;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

std::string_view AdviceFor(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return "; give this user the right to write there or choose another path";
    case EROFS:
      return "; the file system is read-only: choose another path";
    case ENOSPC:
    case EDQUOT:
      return "; free space on that disk";
    case EMFILE:
    case ENFILE:
      return "; raise the limit of open files";
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
      return "; choose another path";
    case EIO:
      return "; check the disk";
    default:
      return "";
  }
}

}  // namespace

absl::Status PosixError(std::string_view doing, std::string_view path) {
  const int error = errno;
  return absl::Status(CodeOf(error),
                      StrCat("cannot ", doing, " ", path, ": ",
                             std::generic_category().message(error), AdviceFor(error)));
}

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags, std::string_view doing) {
  int fd;
  do {
    fd = open(path.c_str(), flags | O_CLOEXEC, 0644);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return PosixError(doing, path);
  return UniqueFd(fd);
}

absl::Status CreateDirectories(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return absl::OkStatus();
    return absl::InvalidArgumentError(
        StrCat(path, " is not a directory; choose another path or move that file away"));
  }
  if (errno != ENOENT) return PosixError("create directory", path);
  const std::string parent = std::filesystem::path(path).lexically_normal().parent_path().string();
  if (parent != path) RETURN_IF_ERROR(CreateDirectories(parent.empty() ? "." : parent));
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
    return PosixError("create directory", path);
  }
  return SyncDirectory(parent.empty() ? "." : parent);
}

absl::Status SyncDirectory(const std::string& path) {
  absl::StatusOr<UniqueFd> fd = OpenFile(path, O_RDONLY | O_DIRECTORY, "open directory");
  if (!fd.ok()) return fd.status();
  if (fsync(fd->get()) != 0) return PosixError("sync directory", path);
  return absl::OkStatus();
}

}  // namespace rowhouse

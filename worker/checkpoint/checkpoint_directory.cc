#include "worker/checkpoint/checkpoint_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "common/status_macros.h"
#include "common/text.h"
#include "worker/client/status_text.h"

namespace rowhouse {
namespace {

namespace fs = std::filesystem;

absl::Status Failed(std::string_view what, std::string_view path, int error) {
  return absl::ErrnoToStatus(error, StrCat("cannot ", what, " '", path, "'"));
}

// A descriptor that is closed at the end.
class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  File(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

absl::Status SyncDirectory(const std::string& path) {
  const File directory(path, O_RDONLY | O_DIRECTORY);
  if (directory.fd() < 0) return Failed("open", path, errno);
  if (::fsync(directory.fd()) != 0) return Failed("sync", path, errno);
  return absl::OkStatus();
}

absl::Status WriteSynced(const std::string& path, std::string_view text) {
  const File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (file.fd() < 0) return Failed("create", path, errno);
  while (!text.empty()) {
    const ssize_t written = ::write(file.fd(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed("write", path, errno);
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(file.fd()) != 0) return Failed("sync", path, errno);
  return absl::OkStatus();
}

absl::Status NotMade(Mark mark, const absl::Status& reason) {
  return absl::Status(reason.code(),
                      StrCat(std::string(reason.message()), ": checkpoint ", mark.value(),
                             " does not exist; check that disk and its free space, then make "
                             "another one"));
}

}  // namespace

CheckpointLock::CheckpointLock(CheckpointLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

CheckpointLock::~CheckpointLock() {
  if (fd_ >= 0) ::close(fd_);
}

absl::StatusOr<CheckpointDirectory> CheckpointDirectory::Create(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error).lexically_normal();
  if (!error) fs::create_directories(absolute / "files", error);
  if (error) return Failed("make the checkpoint directory", path, error.value());
  return CheckpointDirectory(absolute.string());
}

absl::StatusOr<CheckpointDirectory> CheckpointDirectory::Open(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error).lexically_normal();
  if (!error && fs::is_directory(absolute, error)) return CheckpointDirectory(absolute.string());
  return absl::NotFoundError(StrCat("there is no checkpoint directory '", path, "'"));
}

std::string CheckpointDirectory::files_path() const { return StrCat(path_, "/files"); }

std::string CheckpointDirectory::PathOf(const CheckpointFile& file) const {
  return StrCat(path_, "/files/", file.name);
}

std::string CheckpointDirectory::ManifestPath(Mark mark) const {
  return StrCat(path_, "/", ManifestName(mark));
}

absl::StatusOr<CheckpointLock> CheckpointDirectory::Lock() const {
  const std::string path = StrCat(path_, "/LOCK");
  File file(path, O_RDWR | O_CREAT);
  if (file.fd() < 0) return Failed("open", path, errno);
  if (::flock(file.fd(), LOCK_EX | LOCK_NB) == 0) return CheckpointLock(file.Release());
  if (errno != EWOULDBLOCK) return Failed("lock", path, errno);
  return absl::UnavailableError(
      StrCat("'", path,
             "' is held: another checkpoint is being made or pruned there; try again "
             "when it is done"));
}

absl::StatusOr<std::vector<Mark>> CheckpointDirectory::Numbers() const {
  std::vector<Mark> numbers;
  std::error_code error;
  for (fs::directory_iterator at(path_, error), end; !error && at != end; at.increment(error)) {
    const Mark mark = ParseManifestName(at->path().filename().string());
    if (mark != Mark(0)) numbers.push_back(mark);
  }
  if (error) return Failed("list", path_, error.value());
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

absl::StatusOr<CheckpointManifest> CheckpointDirectory::Read(Mark mark) const {
  const std::string path = ManifestPath(mark);
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    return absl::NotFoundError(StrCat("there is no checkpoint ", mark.value(), " in '", path_,
                                      "': '", path, "' cannot be read"));
  }
  auto manifest = DecodeManifest(text.str());
  if (!manifest.ok()) return At(path, manifest.status());
  if (manifest->mark != mark) {
    return absl::DataLossError(
        StrCat(path, ": it is the manifest of checkpoint ", manifest->mark.value()));
  }
  return manifest;
}

absl::Status CheckpointDirectory::Write(const CheckpointManifest& manifest) const {
  const std::string path = ManifestPath(manifest.mark);
  const std::string temporary = StrCat(path, ".tmp");
  // The files that it names: their directory entries must not come after its own.
  absl::Status written = SyncDirectory(files_path());
  if (written.ok()) written = WriteSynced(temporary, EncodeManifest(manifest));
  if (written.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = Failed("rename to", path, errno);
  }
  if (!written.ok()) return NotMade(manifest.mark, written);
  written = SyncDirectory(path_);
  if (written.ok()) return absl::OkStatus();
  ::unlink(path.c_str());  // it may be gone after a loss of power: so it is gone now
  return NotMade(manifest.mark, written);
}

absl::Status CheckpointDirectory::Remove(const std::vector<Mark>& marks) const {
  for (const Mark mark : marks) {
    const std::string path = ManifestPath(mark);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return Failed("remove", path, errno);
  }
  return SyncDirectory(path_);
}

uint64_t DistinctBytes(const CheckpointManifest& manifest) {
  std::set<std::string_view> names;
  uint64_t bytes = 0;
  for (const ShardManifest& shard : manifest.shards) {
    for (const CheckpointFile& file : shard.files) {
      if (names.insert(file.name).second) bytes += file.bytes;
    }
  }
  return bytes;
}

}  // namespace rowhouse

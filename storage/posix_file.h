// Small pieces of POSIX file handling that the log and the data directory share.
//
// Errors: statuses that name the path and the system's reason.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rowhouse {

// "cannot create /x/y: No space left on device; free space on that disk". Call at once after the
// failed call: reads errno.
absl::Status PosixError(std::string_view doing, std::string_view path);

class UniqueFd {
 public:
  explicit UniqueFd(int fd = -1) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd();

  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// open() with O_CLOEXEC and mode 0644, retried where a signal interrupts it.
absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags, std::string_view doing);

// Creates the directory and its missing parents, and makes their entries durable.
absl::Status CreateDirectories(const std::string& path);

// Makes creations, renames and removals in the directory durable.
absl::Status SyncDirectory(const std::string& path);

}  // namespace rowhouse

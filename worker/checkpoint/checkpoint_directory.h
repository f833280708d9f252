// A directory of checkpoints as its users see it: the manifests, and the lock that whoever adds or
// removes a checkpoint holds. For the layout see common/checkpoint_manifest.h.
//
//   ASSIGN_OR_RETURN(const auto directory, CheckpointDirectory::Create(path));
//   ASSIGN_OR_RETURN(const auto lock, directory.Lock());
//   RETURN_IF_ERROR(directory.Write(manifest));
//
// Threading: plain values; the file system does the rest.
// Errors: name the file and what the system says.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/checkpoint_manifest.h"

namespace rowhouse {

// Held as long as it lives; a killed process lets go of it.
class CheckpointLock {
 public:
  explicit CheckpointLock(int fd) : fd_(fd) {}
  CheckpointLock(CheckpointLock&& other) noexcept;
  CheckpointLock& operator=(CheckpointLock&&) = delete;
  ~CheckpointLock();

 private:
  int fd_;
};

class CheckpointDirectory {
 public:
  // Makes the directory where it is missing.
  static absl::StatusOr<CheckpointDirectory> Create(const std::string& path);
  // Errors: NotFound where there is none.
  static absl::StatusOr<CheckpointDirectory> Open(const std::string& path);

  const std::string& path() const { return path_; }  // absolute
  std::string files_path() const;
  std::string PathOf(const CheckpointFile& file) const;
  std::string ManifestPath(Mark mark) const;

  // Errors: Unavailable where somebody else holds it.
  absl::StatusOr<CheckpointLock> Lock() const;

  // The numbers of all checkpoints, lowest first.
  absl::StatusOr<std::vector<Mark>> Numbers() const;
  absl::StatusOr<CheckpointManifest> Read(Mark mark) const;
  // The checkpoint exists when this returns, also after a loss of power, or it does not exist.
  absl::Status Write(const CheckpointManifest& manifest) const;
  // The manifests are gone when this returns; files stay.
  absl::Status Remove(const std::vector<Mark>& marks) const;

 private:
  explicit CheckpointDirectory(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

// Bytes of the files that a checkpoint names, each file once.
uint64_t DistinctBytes(const CheckpointManifest& manifest);

}  // namespace rowhouse

// The file system as the push log sees it: append-only files in one flat directory.
//
// Two implementations under one conformance suite: POSIX (posix_log_files.h) and memory
// (memory_log_files.h, where unsynced bytes can be lost, writes torn and the disk full).
//
// Threading: one user at a time for a file; the directory functions from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rowhouse {

class LogFile {
 public:
  virtual ~LogFile() = default;

  // Appends all pieces in order. After an error an unknown part of them may be there: see Truncate.
  virtual absl::Status Append(std::span<const std::span<const std::byte>> pieces) = 0;
  // Everything appended survives power loss on return. A failed sync may have dropped what it could
  // not write, and nothing tells: of what was there by then, a later one covers only what was
  // written again.
  virtual absl::Status Sync() = 0;
  // Writes bytes that are there already, so that the next sync covers them whatever became of those
  // before it.
  virtual absl::Status Rewrite(uint64_t offset, std::span<const std::byte> bytes) = 0;
  virtual absl::Status Truncate(uint64_t bytes) = 0;
  virtual uint64_t size_bytes() const = 0;
};

// The bytes of a file that has no name any more, null where they are gone already. Whoever destroys
// it last waits while the disk takes them back: 25 ms for 64 MiB were seen where the file system
// tells the disk of every freed block.
using RemovedFile = std::shared_ptr<const void>;
// Each may hold a descriptor: no more than so many of a log are to wait for their end.
inline constexpr size_t kRemovedFilesMax = 256;

class LogFiles {
 public:
  virtual ~LogFiles() = default;

  // Fails where the name exists. The file's directory entry is durable on return.
  virtual absl::StatusOr<std::unique_ptr<LogFile>> Create(std::string_view name) = 0;
  // For appending at the end of an existing file. Its directory entry is durable on return.
  virtual absl::StatusOr<std::unique_ptr<LogFile>> OpenForAppend(std::string_view name) = 0;
  // Up to `bytes` bytes from `offset`; fewer only at the end of the file.
  virtual absl::StatusOr<std::vector<std::byte>> Read(std::string_view name, uint64_t offset,
                                                      size_t bytes) const = 0;
  virtual absl::StatusOr<uint64_t> SizeBytes(std::string_view name) const = 0;
  virtual absl::StatusOr<std::vector<std::string>> List() const = 0;  // sorted
  // The name is gone at once. It may be back after a power loss, until the directory is next
  // synced.
  virtual absl::StatusOr<RemovedFile> Remove(std::string_view name) = 0;
  // Of a file that hard links can be made of; empty where there is no such thing.
  virtual std::string LinkPath(std::string_view) const { return {}; }
  // Human-readable place of a file, for messages.
  virtual std::string Describe(std::string_view name) const = 0;
};

}  // namespace rowhouse

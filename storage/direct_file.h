// Writes whole blocks to a file past the page cache (O_DIRECT), from memory that is used again.
//
// A large write through the page cache takes fresh pages, one for every 4 KB; where a hypervisor
// gives them out that cost ten times the write itself (0.5 GB/s against 3 GB/s), and at the
// system's limit of dirty pages the writer is made to wait.
//
//   auto direct = DirectFile::Open(path);       // null where the file system cannot
//   direct->WriteBlocks(&offset, &pieces);      // what is left of `pieces` is less than a block
//
// Threading: one user at a time. Cost: 2 MiB of memory; one copy.
// Errors: statuses that name the path and the system's reason; what was being written may then be
//   there in part.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "storage/huge_pages.h"
#include "storage/posix_file.h"

namespace rowhouse {

class DirectFile {
 public:
  // What offsets and sizes are a multiple of, and where memory begins.
  static constexpr size_t kBlockBytes = 4096;

  // The file must exist.
  static std::unique_ptr<DirectFile> Open(const std::string& path);

  // REQUIRES: `offset` is a multiple of kBlockBytes; it is left behind what was written.
  absl::Status WriteBlocks(uint64_t* offset, std::span<iovec>* pieces);

 private:
  // A large push is one write. On one huge page, as a disk's queue has room for so many pieces of
  // memory only (254 in the virtio disks of many clouds, so 1 MiB on pages of 4 KB was a write and
  // a bit, and the bit waited for the write).
  static constexpr size_t kStagingBytes = kHugePageBytes;
  static_assert(kStagingBytes % kBlockBytes == 0);

  DirectFile(std::string path, UniqueFd fd)
      : path_(std::move(path)), fd_(std::move(fd)), staging_(MapHuge(kStagingBytes)) {}

  absl::Status Write(uint64_t* offset, std::span<const std::byte> blocks);

  const std::string path_;
  const UniqueFd fd_;
  const MappedBytes staging_;
};

}  // namespace rowhouse

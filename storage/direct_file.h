// Writes whole blocks to a file past the page cache (O_DIRECT), from memory that is used again.
//
// A large write through the page cache takes fresh pages, one for every 4 KB; where a hypervisor
// gives them out that cost ten times the write itself (0.5 GB/s against 3 GB/s), and at the
// system's limit of dirty pages the writer is made to wait.
//
//   auto direct = DirectFile::Open(path);       // null where the file system cannot
//   direct->WriteBlocks(&offset, &pieces);      // what is left of `pieces` is less than a block
//
// Threading: one user at a time. Cost: 1 MiB of memory; one copy.
// Errors: statuses that name the path and the system's reason; what was being written may then be
//   there in part.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
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
  static constexpr size_t kStagingBytes = 1 << 20;
  static_assert(kStagingBytes % kBlockBytes == 0);

  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };

  DirectFile(std::string path, UniqueFd fd)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        staging_(static_cast<std::byte*>(std::aligned_alloc(kBlockBytes, kStagingBytes))) {}

  absl::Status Write(uint64_t* offset, std::span<const std::byte> blocks);

  const std::string path_;
  const UniqueFd fd_;
  const std::unique_ptr<std::byte[], Free> staging_;
};

}  // namespace rowhouse

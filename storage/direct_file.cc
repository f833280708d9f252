#include "storage/direct_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "storage/iovecs.h"

namespace rowhouse {
namespace {

// Kernels before 6.1 do not tell what they want; 4 KiB is enough for every common disk.
bool TakesBlocks(int fd) {
#ifdef STATX_DIOALIGN
  struct statx info;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) != 0) return true;
  if ((info.stx_mask & STATX_DIOALIGN) == 0) return true;
  const auto fits = [](uint32_t align) { return align > 0 && align <= DirectFile::kBlockBytes; };
  return fits(info.stx_dio_mem_align) && fits(info.stx_dio_offset_align);
#else
  return fd >= 0;
#endif
}

}  // namespace

std::unique_ptr<DirectFile> DirectFile::Open(const std::string& path) {
  absl::StatusOr<UniqueFd> fd = OpenFile(path, O_WRONLY | O_DIRECT, "open");
  if (!fd.ok() || !TakesBlocks(fd->get())) return nullptr;
  return std::unique_ptr<DirectFile>(new DirectFile(path, *std::move(fd)));
}

absl::Status DirectFile::WriteBlocks(uint64_t* offset, std::span<iovec>* pieces) {
  for (size_t left = TotalBytes(*pieces); left >= kBlockBytes;) {
    const size_t bytes = std::min(kStagingBytes, left - left % kBlockBytes);
    const std::span<std::byte> blocks(staging_.get(), bytes);
    *pieces = CopyFront(*pieces, blocks);
    RETURN_IF_ERROR(Write(offset, blocks));
    left -= bytes;
  }
  return absl::OkStatus();
}

absl::Status DirectFile::Write(uint64_t* offset, std::span<const std::byte> blocks) {
  while (!blocks.empty()) {
    const ssize_t written =
        pwrite(fd_.get(), blocks.data(), blocks.size(), static_cast<off_t>(*offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return PosixError("write", path_);
    if (written == 0 || static_cast<size_t>(written) % kBlockBytes != 0) {
      return absl::UnavailableError(StrCat("cannot write ", path_, ": only ", written, " of ",
                                           blocks.size(), " bytes were taken"));
    }
    *offset += static_cast<uint64_t>(written);
    blocks = blocks.subspan(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace rowhouse

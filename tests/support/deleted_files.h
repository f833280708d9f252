// Files of this process that have no name any more but are still open.
//
// Threading: any; other threads may open and close files meanwhile.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <system_error>

namespace rowhouse {

// Those that once lay below `folder`.
inline size_t DeletedFilesBelow(const std::string& folder) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string path = std::filesystem::read_symlink(entry.path(), gone).string();
    count += !gone && path.starts_with(folder) && path.ends_with(" (deleted)");
  }
  return count;
}

}  // namespace rowhouse

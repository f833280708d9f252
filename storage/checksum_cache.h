// Checksums of files that never change, kept so that the next checkpoint need not read them again.
//
// A file is known by device, inode, size, time of change and name: hard links of it, as images have
// them, are the same file. Only files that nobody writes to any more may be noted.
//
// Threading: one user at a time.
// Cost: about 100 bytes for each file.
#pragma once

#include <sys/stat.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace rowhouse {

struct FileFacts {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t bytes = 0;
  int64_t changed_ns = 0;
  std::string name;  // RocksDB and the log use none again, but a file system does use inodes again

  static FileFacts Of(const struct stat& info, std::string name);
  auto operator<=>(const FileFacts&) const = default;
};

class ChecksumCache {
 public:
  explicit ChecksumCache(size_t files_max = 1 << 16) : files_max_(files_max) {}

  std::optional<uint64_t> Find(const FileFacts& file);
  void Note(const FileFacts& file, uint64_t checksum);
  void Forget(const FileFacts& file) { known_.erase(file); }
  // Forgets what was neither found nor noted since the last call: files that are gone.
  void EndRound();

  size_t size() const { return known_.size(); }

 private:
  struct Known {
    uint64_t checksum = 0;
    uint64_t round = 0;  // that asked for it last
  };

  size_t files_max_;
  uint64_t round_ = 0;
  std::map<FileFacts, Known> known_;
};

}  // namespace rowhouse

// How much of a file the system's page cache holds.
//
// Threading: any.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

namespace rowhouse {

// Of the file's first `bytes` bytes.
inline size_t CachedPages(const std::string& path, size_t bytes) {
  const int fd = open(path.c_str(), O_RDONLY);
  void* const memory = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  std::vector<unsigned char> pages((bytes + 4095) / 4096);
  EXPECT_EQ(mincore(memory, bytes, pages.data()), 0);
  munmap(memory, bytes);
  return static_cast<size_t>(
      std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return page & 1; }));
}

}  // namespace rowhouse

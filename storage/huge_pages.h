// Anonymous memory that the system may back with huge pages: fewer TLB misses, and a disk's queue
// takes it in a few large pieces instead of one for every 4 KB.
//
// Threading: free functions, no state. Errors: std::bad_alloc.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory>

namespace rowhouse {

inline constexpr size_t kHugePageBytes = size_t{2} << 20;

// Zeros, beginning at a multiple of the huge page, as the kernel needs to use one. Whether it does
// is the caller's to ask for (madvise). To be given back with munmap.
std::byte* MapAligned(size_t bytes);

struct Unmap {
  size_t bytes;
  void operator()(std::byte* memory) const { munmap(memory, bytes); }
};
using MappedBytes = std::unique_ptr<std::byte[], Unmap>;

// On huge pages where the system allows.
MappedBytes MapHuge(size_t bytes);

// Memory that the system need not have found yet: it does when a page is first written, which takes
// 0.1 ms for a huge one, and was seen to take 9 ms where a hypervisor had to find it too.
struct Mapping {
  std::shared_ptr<std::byte[]> memory;
  size_t bytes = 0;
};

// Has the system find all of it now, and join small pages to huge ones where it may use those; what
// it holds does not change. Any thread, also while others use the memory. Where the system knows no
// such calls (before Linux 5.14, and 6.1 for the joining) nothing happens.
void FindPages(const Mapping& mapping);

}  // namespace rowhouse

// Memory for an index's buckets. Blocks of 32 KiB, which is what a part of a large index has, are
// cut from huge pages: a look-up goes to a random bucket first of all, and on small pages most of
// those miss the TLB too. Anything smaller or larger comes from the heap.
//
// The first 16 MiB begin on small pages, so that a small index costs little more than its blocks;
// as soon as 2 MiB of them are all in use, they are for another thread to join (MapAhead). A page
// without blocks goes back to the system.
//
// Threading: one shard, one thread.
// Errors: std::bad_alloc where the system has no memory left, as from operator new.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "storage/huge_pages.h"

namespace rowhouse {

class IndexMemory {
 public:
  static constexpr size_t kBlockBytes = size_t{32} << 10;

  // Zeros, at a multiple of 64.
  std::byte* Allocate(size_t bytes);
  // REQUIRES: `memory` is from Allocate(bytes).
  void Free(std::byte* memory, size_t bytes);

  // Work for another thread (FindPages): small pages that are to be joined to a huge one or, where
  // few blocks of eight pages or more are free, the next page, mapped by this. Otherwise nothing.
  Mapping MapAhead() {
    if (to_join_ > 0) return Join();
    return free_blocks_ < kPageBlocks / 4 && pages_.size() >= kPagesBeforeAhead ? MapNextPage()
                                                                                : Mapping();
  }

  // Of what is allocated; huge pages count whole.
  uint64_t resident_bytes() const { return resident_bytes_; }

 private:
  static constexpr size_t kPageBlocks = kHugePageBytes / kBlockBytes;
  static constexpr uint64_t kAllFree = ~uint64_t{0};
  static constexpr size_t kSmallPages = 8;
  static constexpr size_t kPagesBeforeAhead = 8;

  // As large as a huge page, and on one, or about to be, unless it is one of the first.
  struct Page {
    std::shared_ptr<std::byte[]> memory;
    uint64_t free;  // bit i: block i
    bool huge;
  };

  Mapping MapNextPage();
  Mapping Join();
  Page& PageWithFreeBlock();
  void FreeBlock(std::byte* block);

  std::vector<Page> pages_;
  size_t free_blocks_ = 0;
  size_t to_join_ = 0;  // pages that are not huge and have no free block
  uint64_t resident_bytes_ = 0;
};

}  // namespace rowhouse

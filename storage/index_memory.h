// Memory for an index's buckets. Blocks of 32 KiB, which is what a part of a large index has, are
// cut from huge pages: a look-up goes to a random bucket first of all, and on small pages most of
// those miss the TLB too. Anything smaller or larger comes from the heap.
//
// The first 16 MiB lie on small pages, so that a small index costs little more than its blocks;
// when they do not suffice, the system may join them to huge ones too. A page without blocks goes
// back to it.
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

  // Where few blocks of eight pages or more are free, maps the next page and returns it for another
  // thread to find it; otherwise nothing.
  Mapping MapAhead() {
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

  // As large as a huge page, and on one unless the index is small.
  struct Page {
    std::shared_ptr<std::byte[]> memory;
    uint64_t free;  // bit i: block i
    bool huge;
  };

  Mapping MapNextPage();
  void UseHugePages();
  Page& PageWithFreeBlock();
  void FreeBlock(std::byte* block);

  std::vector<Page> pages_;
  size_t free_blocks_ = 0;
  uint64_t resident_bytes_ = 0;
};

}  // namespace rowhouse

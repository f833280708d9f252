#include "storage/index_memory.h"

#include <glog/logging.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

namespace rowhouse {
namespace {

constexpr std::align_val_t kHeapAlign{64};

}  // namespace

std::byte* IndexMemory::Allocate(size_t bytes) {
  if (bytes != kBlockBytes) {
    void* const memory = ::operator new(bytes, kHeapAlign);
    resident_bytes_ += bytes;
    return static_cast<std::byte*>(std::memset(memory, 0, bytes));
  }
  Page& page = PageWithFreeBlock();
  const auto at = static_cast<size_t>(std::countr_zero(page.free));
  page.free &= page.free - 1;
  --free_blocks_;
  if (!page.huge) {
    resident_bytes_ += kBlockBytes;
    to_join_ += page.free == 0;
  }
  return page.memory.get() + at * kBlockBytes;
}

void IndexMemory::Free(std::byte* memory, size_t bytes) {
  if (bytes == kBlockBytes) {
    FreeBlock(memory);
  } else {
    ::operator delete(memory, kHeapAlign);
    resident_bytes_ -= bytes;
  }
}

IndexMemory::Page& IndexMemory::PageWithFreeBlock() {
  if (free_blocks_ == 0) {
    const Mapping mapping = MapNextPage();
    // Written before it is read: a read would map the system's page of zeros, and the first write
    // then cost the exchange on top, with an interrupt on every processor.
    std::memset(mapping.memory.get(), 0, 1);
  }
  return *std::find_if(pages_.begin(), pages_.end(), [](const Page& p) { return p.free != 0; });
}

Mapping IndexMemory::MapNextPage() {
  const bool huge = pages_.size() >= kSmallPages;
  std::byte* const at = MapAligned(kHugePageBytes);
  const std::shared_ptr<std::byte[]> memory(at, Unmap{kHugePageBytes});
  // Advice only: where it is refused, small pages do.
  madvise(at, kHugePageBytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  pages_.push_back({memory, kAllFree, huge});
  free_blocks_ += kPageBlocks;
  if (huge) resident_bytes_ += kHugePageBytes;
  return {memory, kHugePageBytes};
}

Mapping IndexMemory::Join() {
  Page& page = *std::find_if(pages_.begin(), pages_.end(),
                             [](const Page& p) { return !p.huge && p.free == 0; });
  madvise(page.memory.get(), kHugePageBytes, MADV_HUGEPAGE);
  page.huge = true;
  --to_join_;
  return {page.memory, kHugePageBytes};
}

void IndexMemory::FreeBlock(std::byte* block) {
  const auto page = std::find_if(pages_.begin(), pages_.end(), [&](const Page& p) {
    return block >= p.memory.get() && block < p.memory.get() + kHugePageBytes;
  });
  CHECK(page != pages_.end()) << "a block of another index";
  to_join_ -= !page->huge && page->free == 0;
  page->free |= uint64_t{1} << (static_cast<size_t>(block - page->memory.get()) / kBlockBytes);
  ++free_blocks_;
  if (!page->huge) resident_bytes_ -= kBlockBytes;
  if (page->free == kAllFree) {
    free_blocks_ -= kPageBlocks;
    if (page->huge) resident_bytes_ -= kHugePageBytes;
    pages_.erase(page);
  } else if (page->huge) {
    std::memset(block, 0, kBlockBytes);
  } else {
    madvise(block, kBlockBytes, MADV_DONTNEED);  // gives the pages back; read again, they are zeros
  }
}

}  // namespace rowhouse

#include "storage/huge_pages.h"

#include <cstdint>
#include <new>

namespace rowhouse {
namespace {

constexpr int kCollapse = 25;  // MADV_COLLAPSE, which the C library's header does not have yet

std::byte* Map(size_t bytes) {
  void* const p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  return static_cast<std::byte*>(p);
}

}  // namespace

std::byte* MapAligned(size_t bytes) {
  std::byte* const raw = Map(bytes + kHugePageBytes);
  const size_t beyond = reinterpret_cast<uintptr_t>(raw) % kHugePageBytes;
  const size_t before = beyond == 0 ? 0 : kHugePageBytes - beyond;
  if (before > 0) munmap(raw, before);
  if (before < kHugePageBytes) munmap(raw + before + bytes, kHugePageBytes - before);
  return raw + before;
}

MappedBytes MapHuge(size_t bytes) {
  std::byte* const memory = MapAligned(bytes);
  // Advice only: where it is refused, small pages do.
  madvise(memory, bytes, MADV_HUGEPAGE);
  return MappedBytes(memory, Unmap{bytes});
}

void FindPages(const Mapping& mapping) {
  madvise(mapping.memory.get(), mapping.bytes, MADV_POPULATE_WRITE);
  madvise(mapping.memory.get(), mapping.bytes, kCollapse);
}

}  // namespace rowhouse

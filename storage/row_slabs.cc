#include "storage/row_slabs.h"

#include <glog/logging.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <new>

namespace rowhouse {
namespace {

constexpr size_t kSlabBytesMin = size_t{4} << 20;
constexpr size_t kPageBytes = 4096;
constexpr size_t kHugePageBytes = size_t{2} << 20;

size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

uint32_t SlabShift(size_t stride_bytes) {
  return static_cast<uint32_t>(
      std::countr_zero(std::bit_ceil((kSlabBytesMin + stride_bytes - 1) / stride_bytes)));
}

std::byte* Map(size_t bytes) {
  void* const p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  return static_cast<std::byte*>(p);
}

// A mapping that begins at a multiple of the huge page, as the kernel needs to use one.
std::byte* MapAligned(size_t bytes) {
  std::byte* const raw = Map(bytes + kHugePageBytes);
  const size_t before =
      RoundUp(reinterpret_cast<uintptr_t>(raw), kHugePageBytes) - reinterpret_cast<uintptr_t>(raw);
  if (before > 0) munmap(raw, before);
  if (before < kHugePageBytes) munmap(raw + before + bytes, kHugePageBytes - before);
  return raw + before;
}

}  // namespace

RowSlabs::RowSlabs(size_t stride_bytes)
    : stride_bytes_(stride_bytes),
      slab_shift_(SlabShift(stride_bytes)),
      row_mask_((1u << slab_shift_) - 1),
      slab_bytes_(RoundUp(stride_bytes << slab_shift_, kPageBytes)) {}

RowSlabs::~RowSlabs() {
  for (std::byte* slab : slabs_) munmap(slab, slab_bytes_);
}

uint32_t RowSlabs::Allocate() {
  if (free_count_ > 0) {
    const uint32_t number = first_free_;
    std::memcpy(&first_free_, Row(number), sizeof(first_free_));
    --free_count_;
    return number;
  }
  // The last number stays free: it can mean "none".
  CHECK_LT(row_number_end_, std::numeric_limits<uint32_t>::max()) << "a table's rows on one shard";
  if (row_number_end_ == uint64_t{slabs_.size()} << slab_shift_) AddSlab();
  return row_number_end_++;
}

void RowSlabs::Free(uint32_t number) {
  CHECK_LT(number, row_number_end_);
  std::memcpy(Row(number), &first_free_, sizeof(first_free_));
  first_free_ = number;
  ++free_count_;
}

void RowSlabs::AddSlab() {
  if (slabs_.size() == slabs_.capacity()) slabs_.reserve(2 * slabs_.size() + 1);
  std::byte* const slab = MapAligned(slab_bytes_);
  // Advice only: where it is refused, small pages do.
  madvise(slab, slab_bytes_, slabs_.empty() ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
  slabs_.push_back(slab);
}

uint64_t RowSlabs::resident_bytes() const {
  if (slabs_.empty()) return 0;
  const uint64_t full = slabs_.size() - 1;
  const uint64_t rows_in_last = row_number_end_ - (full << slab_shift_);
  const size_t page_bytes = full == 0 ? kPageBytes : kHugePageBytes;
  return full * slab_bytes_ +
         std::min<uint64_t>(slab_bytes_, RoundUp(rows_in_last * stride_bytes_, page_bytes));
}

}  // namespace rowhouse

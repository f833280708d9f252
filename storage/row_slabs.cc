#include "storage/row_slabs.h"

#include <glog/logging.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "storage/huge_pages.h"

namespace rowhouse {
namespace {

constexpr size_t kSlabBytesMin = size_t{4} << 20;
constexpr size_t kPageBytes = 4096;
constexpr size_t kSlabsBeforeAhead = 8;  // so that what is mapped ahead is an eighth at most

size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

uint32_t SlabShift(size_t stride_bytes) {
  return static_cast<uint32_t>(
      std::countr_zero(std::bit_ceil((kSlabBytesMin + stride_bytes - 1) / stride_bytes)));
}

}  // namespace

RowSlabs::RowSlabs(size_t stride_bytes, size_t lead_bytes)
    : stride_bytes_(stride_bytes),
      lead_bytes_(lead_bytes),
      slab_shift_(SlabShift(stride_bytes)),
      row_mask_((1u << slab_shift_) - 1),
      slab_bytes_(RoundUp(stride_bytes << slab_shift_, kPageBytes)) {}

uint32_t RowSlabs::Allocate() {
  if (free_count_ > 0) {
    while (slabs_[lowest_with_free_].free_count == 0) ++lowest_with_free_;
    const uint32_t number = slabs_[lowest_with_free_].first_free;
    Unlink(number);
    return number;
  }
  // The last number stays free: it means "none".
  CHECK_LT(row_number_end_, kNone) << "a table's rows on one shard";
  if (row_number_end_ == uint64_t{slabs_.size()} << slab_shift_) AddSlab();
  return row_number_end_++;
}

void RowSlabs::Free(uint32_t number) {
  CHECK_LT(number, row_number_end_);
  const size_t at = number >> slab_shift_;
  Slab& slab = slabs_[at];
  SetCell(number, {slab.first_free, kNone});
  if (slab.first_free != kNone) SetCell(slab.first_free, {CellAt(slab.first_free).next, number});
  slab.first_free = number;
  ++slab.free_count;
  lowest_with_free_ = free_count_ == 0 ? at : std::min(lowest_with_free_, at);
  ++free_count_;
}

RowSlabs::FreeCell RowSlabs::CellAt(uint32_t number) const {
  FreeCell cell;
  std::memcpy(&cell, Row(number), sizeof(cell));
  return cell;
}

void RowSlabs::SetCell(uint32_t number, FreeCell cell) {
  std::memcpy(Row(number), &cell, sizeof(cell));
}

void RowSlabs::Unlink(uint32_t number) {
  Slab& slab = slabs_[number >> slab_shift_];
  const FreeCell cell = CellAt(number);
  if (slab.first_free == number) {
    slab.first_free = cell.next;
  } else {
    SetCell(cell.previous, {cell.next, CellAt(cell.previous).previous});
    if (cell.next != kNone) SetCell(cell.next, {CellAt(cell.next).next, cell.previous});
  }
  --slab.free_count;
  --free_count_;
}

void RowSlabs::PopFree() {
  Unlink(row_number_end_ - 1);
  --row_number_end_;
}

uint32_t RowSlabs::MoveLast() {
  CHECK_GT(free_count_, 0u);
  const uint32_t to = Allocate();
  std::memcpy(Row(to), Row(--row_number_end_), stride_bytes_ - lead_bytes_);
  return to;
}

void RowSlabs::Trim() {
  ahead_ = {};
  while (!slabs_.empty() && row_number_end_ <= (slabs_.size() - 1) << slab_shift_) {
    slabs_.pop_back();
    memory_.pop_back();
  }
  if (slabs_.empty()) return;
  const size_t begin = resident_bytes() - (slabs_.size() - 1) * slab_bytes_;
  if (begin < slab_bytes_) {
    madvise(slabs_.back().memory + begin, slab_bytes_ - begin, MADV_DONTNEED);
  }
}

// `advice` only: where it is refused, small pages do.
Mapping RowSlabs::MapSlab(int advice) const {
  std::byte* const slab = MapAligned(slab_bytes_);
  madvise(slab, slab_bytes_, advice);
  return {std::shared_ptr<std::byte[]>(slab, Unmap{slab_bytes_}), slab_bytes_};
}

Mapping RowSlabs::MapNextSlab() {
  ahead_from_ = kNone;
  ahead_ = MapSlab(MADV_HUGEPAGE);
  return ahead_;
}

void RowSlabs::AddSlab() {
  if (ahead_.memory == nullptr) {
    ahead_ = MapSlab(slabs_.empty() ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
  }
  if (slabs_.size() == slabs_.capacity()) slabs_.reserve(2 * slabs_.size() + 1);
  memory_.reserve(slabs_.capacity());
  slabs_.push_back({ahead_.memory.get(), kNone, 0});
  memory_.push_back(std::exchange(ahead_, {}).memory);
  if (slabs_.size() < kSlabsBeforeAhead) return;
  ahead_from_ = static_cast<uint32_t>((slabs_.size() << slab_shift_) - (row_mask_ + 1) / 2);
}

uint64_t RowSlabs::BytesOf(uint32_t rows) const {
  if (rows <= row_mask_) return rows * stride_bytes_;
  const uint64_t full = (rows - 1) >> slab_shift_;
  const uint64_t rows_in_last = rows - (full << slab_shift_);
  const size_t unit = full == 0 ? 1 : kHugePageBytes;
  return full * slab_bytes_ +
         std::min<uint64_t>(slab_bytes_, RoundUp(rows_in_last * stride_bytes_, unit));
}

uint64_t RowSlabs::resident_bytes() const { return RoundUp(held_bytes(), kPageBytes); }

}  // namespace rowhouse

// Rows of one width in slabs that never move: numbered storage. A row that is freed is the first to
// be taken again; slabs are not given back.
//
// A slab is an anonymous mapping of 4 to 8 MiB with a power of two of rows. The first one is backed
// by small pages, so a table of a few rows costs the pages that it touches and not a slab; later
// ones ask for huge pages, which save most TLB misses of random row access.
//
// Threading: one shard, one thread.
// Cost: first touching a huge page takes the system 0.1 ms, and was seen to take 5 ms where a
//   hypervisor still had to find the memory; the same in small pages takes 0.7 ms, spread out.
// Errors: std::bad_alloc where the system has no memory left, as from operator new.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rowhouse {

class RowSlabs {
 public:
  // REQUIRES: stride_bytes >= sizeof(uint32_t), where a free row keeps the number of the next one.
  explicit RowSlabs(size_t stride_bytes);
  ~RowSlabs();
  RowSlabs(const RowSlabs&) = delete;
  RowSlabs& operator=(const RowSlabs&) = delete;

  // The number of a new row: all bytes 0, or those of a freed one.
  uint32_t Allocate();
  // REQUIRES: the row is taken. Overwrites its first four bytes and leaves the others as they are.
  void Free(uint32_t number);

  // REQUIRES: number < row_number_end().
  std::byte* Row(uint32_t number) const {
    return slabs_[number >> slab_shift_] + (number & row_mask_) * stride_bytes_;
  }

  uint32_t row_count() const { return row_number_end_ - free_count_; }
  // Numbers below it are rows, taken or free.
  uint32_t row_number_end() const { return row_number_end_; }
  size_t stride_bytes() const { return stride_bytes_; }
  uint64_t resident_bytes() const;

 private:
  void AddSlab();

  const size_t stride_bytes_;
  const uint32_t slab_shift_;  // log2 of the rows of a slab
  const uint32_t row_mask_;
  const size_t slab_bytes_;
  std::vector<std::byte*> slabs_;
  uint32_t row_number_end_ = 0;
  uint32_t first_free_ = 0;  // where free_count_ > 0
  uint32_t free_count_ = 0;
};

}  // namespace rowhouse

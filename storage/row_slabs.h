// Rows of one width in slabs that never move: numbered storage. Rows that are freed are taken again
// before new ones, those of lower slabs first. Memory goes back to the system from the end: rows
// there are moved into free ones, then what lies behind the last row is given up.
//
//   while (slabs.free_count() > 0) {
//     if (is_free(slabs.row_number_end() - 1)) slabs.PopFree(); else slabs.MoveLast();
//   }
//   slabs.Trim();
//
// A slab is an anonymous mapping of 4 to 8 MiB with a power of two of rows. The first one is backed
// by small pages, so a table of a few rows costs the pages that it touches and not a slab; later
// ones ask for huge pages, which save most TLB misses of random row access.
//
// Threading: one shard, one thread.
// Cost: first touching a huge page takes the system 0.1 ms, and was seen to take 9 ms where a
//   hypervisor still had to find the memory; large tables leave it to another thread (MapAhead).
//   The same in small pages takes 0.7 ms, spread out.
// Errors: std::bad_alloc where the system has no memory left, as from operator new.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "storage/huge_pages.h"

namespace rowhouse {

class RowSlabs {
 public:
  // Rows lie in cells of `stride_bytes`, `lead_bytes` behind the beginning. REQUIRES: there are 8
  // bytes more in a cell, where a free row keeps the numbers of its neighbours in a list.
  explicit RowSlabs(size_t stride_bytes, size_t lead_bytes = 0);
  RowSlabs(const RowSlabs&) = delete;
  RowSlabs& operator=(const RowSlabs&) = delete;

  // The number of a new row: all bytes 0, or those of a freed one.
  uint32_t Allocate();
  // REQUIRES: the row is taken. Overwrites its first eight bytes and leaves the others as they are.
  void Free(uint32_t number);

  // Takes the last number away. REQUIRES: its row is free.
  void PopFree();
  // Copies the last row into a free one, whose number it returns, and takes the last number away.
  // REQUIRES: the last row is taken, another one is free.
  uint32_t MoveLast();
  // Gives the memory behind the last row, and what was mapped ahead, back to the system. Nothing is
  // mapped ahead again before the next slab is begun: it would be given back at once.
  void Trim();

  // Where the last of eight slabs or more is half full, maps the next one, once, and returns it for
  // another thread to find its pages; otherwise nothing.
  Mapping MapAhead() { return row_number_end_ < ahead_from_ ? Mapping() : MapNextSlab(); }

  // REQUIRES: number < row_number_end().
  std::byte* Row(uint32_t number) const {
    return slabs_[number >> slab_shift_].memory + (number & row_mask_) * stride_bytes_ +
           lead_bytes_;
  }

  uint32_t row_count() const { return row_number_end_ - free_count_; }
  // Numbers below it are rows, taken or free.
  uint32_t row_number_end() const { return row_number_end_; }
  uint32_t free_count() const { return free_count_; }
  size_t stride_bytes() const { return stride_bytes_; }
  // What so many rows take without free ones among them. The huge pages of later slabs count whole.
  uint64_t BytesOf(uint32_t rows) const;
  // What is taken; REQUIRES: trimmed.
  uint64_t held_bytes() const { return BytesOf(row_number_end_) + ahead_.bytes; }
  // The same, small pages counted whole too.
  uint64_t resident_bytes() const;

 private:
  struct Slab {
    std::byte* memory;    // of memory_
    uint32_t first_free;  // kNone where there is none
    uint32_t free_count;
  };
  struct FreeCell {  // what a free row begins with
    uint32_t next;
    uint32_t previous;  // of the first one: anything
  };
  static constexpr uint32_t kNone = ~uint32_t{0};

  Mapping MapSlab(int advice) const;
  Mapping MapNextSlab();
  void AddSlab();
  FreeCell CellAt(uint32_t number) const;
  void SetCell(uint32_t number, FreeCell cell);
  void Unlink(uint32_t number);

  const size_t stride_bytes_;
  const size_t lead_bytes_;
  const uint32_t slab_shift_;  // log2 of the rows of a slab
  const uint32_t row_mask_;
  const size_t slab_bytes_;
  std::vector<Slab> slabs_;
  std::vector<std::shared_ptr<std::byte[]>> memory_;  // [slabs]
  Mapping ahead_;                                     // the slab after the last, or nothing
  uint32_t ahead_from_ = kNone;                       // row number at which it is due
  uint32_t row_number_end_ = 0;
  uint32_t free_count_ = 0;      // in all slabs
  size_t lowest_with_free_ = 0;  // no slab below it has a free row
};

}  // namespace rowhouse

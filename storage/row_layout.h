// One row in memory: [ RowHeader | weights f32[dim] | optimizer state f32[state_floats] ], in a
// cell that is padded to 8 bytes or, where that costs less than one in 32, to 32: before the header
// too, so that weights, and state where dim is a multiple of 8, lie at multiples of 32. Then no
// load of 32 bytes crosses a cache line, and a row of dim 64 lies in 9 lines instead of 9.4: packed
// to 8, its update took a fifth longer.
//
// Threading: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "common/types.h"

namespace rowhouse {

struct RowHeader {
  Key key;
  Lsn lsn;                // of the last record that changed the row
  Generation generation;  // of the table that the row belongs to
  uint32_t flags = 0;     // kRow* below
};
static_assert(sizeof(RowHeader) == 24);

inline constexpr uint32_t kRowDirty = 1u << 0;       // newer than what the disk tier holds
inline constexpr uint32_t kRowReferenced = 1u << 1;  // touched since the eviction hand last passed
inline constexpr uint32_t kRowFree = 1u << 2;        // erased; the memory waits for its next row

// Which file of a flush last took the row along, 0: none. While that file is under way the row must
// stay, though it is clean: the disk does not have it yet.
inline constexpr uint32_t kRowFileShift = 8;
inline constexpr uint32_t kRowFileMask = 0xffu << kRowFileShift;
// The pin that last needed the row (ps/residency.h), cut to 16 bits.
inline constexpr uint32_t kRowPinShift = 16;
inline constexpr uint32_t kRowPinCount = 1u << 16;
inline constexpr uint32_t kRowPinMask = (kRowPinCount - 1) << kRowPinShift;

class RowLayout {
 public:
  constexpr RowLayout(uint32_t dim, uint32_t state_floats)
      : dim_(dim), state_floats_(state_floats) {}

  constexpr uint32_t dim() const { return dim_; }
  constexpr uint32_t state_floats() const { return state_floats_; }
  constexpr size_t value_bytes() const { return (size_t{dim_} + state_floats_) * sizeof(float); }
  constexpr size_t row_bytes() const { return sizeof(RowHeader) + value_bytes(); }
  // Of a cell, and what lies in it before the row.
  constexpr size_t stride_bytes() const { return aligned() ? aligned_bytes() : packed_bytes(); }
  constexpr size_t lead_bytes() const { return aligned() ? kLeadBytes : 0; }

  static RowHeader& Header(std::byte* row) { return *reinterpret_cast<RowHeader*>(row); }
  static const RowHeader& Header(const std::byte* row) {
    return *reinterpret_cast<const RowHeader*>(row);
  }
  static float* Weights(std::byte* row) {
    return reinterpret_cast<float*>(row + sizeof(RowHeader));
  }
  static const float* Weights(const std::byte* row) {
    return reinterpret_cast<const float*>(row + sizeof(RowHeader));
  }
  float* State(std::byte* row) const { return Weights(row) + dim_; }
  const float* State(const std::byte* row) const { return Weights(row) + dim_; }

 private:
  static constexpr size_t kAlignBytes = 32;
  static constexpr size_t kLeadBytes = kAlignBytes - sizeof(RowHeader);

  static constexpr size_t RoundUp(size_t bytes, size_t unit) {
    return (bytes + unit - 1) & ~(unit - 1);
  }
  constexpr size_t packed_bytes() const { return RoundUp(row_bytes(), 8); }
  constexpr size_t aligned_bytes() const { return RoundUp(kLeadBytes + row_bytes(), kAlignBytes); }
  constexpr bool aligned() const { return aligned_bytes() - packed_bytes() <= row_bytes() / 32; }

  uint32_t dim_;
  uint32_t state_floats_;
};

// A row's lsn, weights and state as they follow each other in the disk tier, unaligned.
inline void PutLoadValue(const std::byte* value, const RowLayout& layout, std::byte* row) {
  std::memcpy(static_cast<void*>(&RowLayout::Header(row).lsn), value, sizeof(Lsn));
  std::memcpy(RowLayout::Weights(row), value + sizeof(Lsn), layout.value_bytes());
}

}  // namespace rowhouse

// The checksum of frames, log records and files: XXH3-64.
//
// Threading: free functions and plain values. Cost: one pass, in the widest vectors that the
// processor has; the value does not depend on them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rowhouse {

uint64_t Checksum(std::span<const std::byte> bytes);

// Of bytes that come one after another. Pieces of some KB cost what one large one does, less where
// they have just been written: they are in the first cache still.
class StreamChecksum {
 public:
  StreamChecksum();
  void Add(std::span<const std::byte> bytes);
  // Of all so far.
  uint64_t value() const;

 private:
  alignas(64) std::byte state_[576];  // XXH3_state_t, which is not for headers
};

// Of bytes that lie in several pieces, for writers that scatter-gather.
uint64_t Checksum(std::span<const std::span<const std::byte>> pieces);

}  // namespace rowhouse

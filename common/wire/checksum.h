// The checksum of frames, log records and files: XXH3-64.
//
// Threading: free functions. Cost: one pass, in the widest vectors that the processor has; the
// value does not depend on them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace rowhouse {

uint64_t Checksum(std::span<const std::byte> bytes);

// Of bytes that lie in several pieces, for writers that scatter-gather.
uint64_t Checksum(std::span<const std::span<const std::byte>> pieces);

}  // namespace rowhouse

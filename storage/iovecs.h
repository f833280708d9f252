// Lists of memory pieces as writev takes them.
//
// Threading: free functions, no state.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <vector>

namespace rowhouse {

// Without the empty pieces.
std::vector<iovec> ToIovecs(std::span<const std::span<const std::byte>> pieces);

// Drops the first `bytes` bytes, which were written; returns what is left.
// REQUIRES: bytes is at most the sum of all pieces.
std::span<iovec> Advance(std::span<iovec> pieces, size_t bytes);

// Fills `out` from the front; returns what is left. REQUIRES: all pieces together fill it.
std::span<iovec> CopyFront(std::span<iovec> pieces, std::span<std::byte> out);

size_t TotalBytes(std::span<const iovec> pieces);

}  // namespace rowhouse

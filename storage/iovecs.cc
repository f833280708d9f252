#include "storage/iovecs.h"

#include <algorithm>
#include <cstring>

namespace rowhouse {

std::vector<iovec> ToIovecs(std::span<const std::span<const std::byte>> pieces) {
  std::vector<iovec> out;
  out.reserve(pieces.size());
  for (const auto piece : pieces) {
    if (piece.empty()) continue;
    out.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
  }
  return out;
}

std::span<iovec> Advance(std::span<iovec> pieces, size_t bytes) {
  while (!pieces.empty() && bytes >= pieces.front().iov_len) {
    bytes -= pieces.front().iov_len;
    pieces = pieces.subspan(1);
  }
  if (bytes > 0) {
    pieces.front().iov_base = static_cast<std::byte*>(pieces.front().iov_base) + bytes;
    pieces.front().iov_len -= bytes;
  }
  return pieces;
}

std::span<iovec> CopyFront(std::span<iovec> pieces, std::span<std::byte> out) {
  while (!out.empty()) {
    const size_t bytes = std::min(out.size(), pieces.front().iov_len);
    std::memcpy(out.data(), pieces.front().iov_base, bytes);
    out = out.subspan(bytes);
    pieces = Advance(pieces, bytes);
  }
  return pieces;
}

size_t TotalBytes(std::span<const iovec> pieces) {
  size_t bytes = 0;
  for (const iovec& piece : pieces) bytes += piece.iov_len;
  return bytes;
}

}  // namespace rowhouse

#include "storage/iovecs.h"

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

}  // namespace rowhouse

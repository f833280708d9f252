// A request's frame put together, for tests that look at it as a server does.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "common/wire/frame.h"
#include "worker/client/request.h"

namespace rowhouse {

struct WireBytes {
  std::shared_ptr<uint64_t[]> words;  // for alignment
  size_t size = 0;

  std::span<const std::byte> span() const {
    return {reinterpret_cast<const std::byte*>(words.get()), size};
  }
};

// The bytes that a sealed request puts on the wire.
inline WireBytes BytesOf(const Request& request) {
  std::vector<std::byte> all = request.head;
  for (const auto piece : request.pieces) all.insert(all.end(), piece.begin(), piece.end());
  all.resize(all.size() + request.padding_bytes);
  WireBytes bytes{std::make_shared<uint64_t[]>((all.size() + 7) / 8), all.size()};
  std::memcpy(bytes.words.get(), all.data(), all.size());
  return bytes;
}

}  // namespace rowhouse

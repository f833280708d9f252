#include "common/wire/frame_pool.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace rowhouse {

FrameMemory FrameMemory::Of(size_t bytes) {
  const size_t words = (bytes + 7) / 8;
  return {std::make_unique_for_overwrite<uint64_t[]>(words), words * 8};
}

FrameMemory FramePool::Take(size_t bytes) {
  if (++takes_ == kRoundTakes) EndRound();
  const size_t i = SizeFor(bytes);
  if (i == kSizes) return FrameMemory::Of(bytes);
  Size& size = sizes_[i];
  if (size.free.empty()) return FrameMemory::Of(kSizeBytesMin << i);
  FrameMemory memory = std::move(size.free.back());
  size.free.pop_back();
  size.unused = std::min(size.unused, size.free.size());
  kept_bytes_ -= memory.capacity_bytes;
  return memory;
}

void FramePool::Give(FrameMemory memory) {
  const size_t i = SizeFor(memory.capacity_bytes);
  if (i == kSizes || memory.capacity_bytes != kSizeBytesMin << i) return;
  if (kept_bytes_ + memory.capacity_bytes > kept_bytes_max_) return;
  kept_bytes_ += memory.capacity_bytes;
  sizes_[i].free.push_back(std::move(memory));
}

size_t FramePool::SizeFor(size_t bytes) {
  const size_t size_bytes = std::bit_ceil(std::max(bytes, kSizeBytesMin));
  return std::min<size_t>(
      kSizes, static_cast<size_t>(std::countr_zero(size_bytes) - std::countr_zero(kSizeBytesMin)));
}

void FramePool::EndRound() {
  takes_ = 0;
  for (Size& size : sizes_) {
    for (; size.unused > 0; --size.unused) {
      kept_bytes_ -= size.free.back().capacity_bytes;
      size.free.pop_back();
    }
    size.unused = size.free.size();
    if (size.free.empty()) size.free.shrink_to_fit();
  }
}

}  // namespace rowhouse

// Memory of frames that were sent, for the next ones of about their size.
//
//   FramePool pool(kept_bytes_max);
//   FrameMemory memory = pool.Take(frame_bytes);   // ... fill, send ...
//   pool.Give(std::move(memory));
//
// It keeps no more than `kept_bytes_max`, and of that only what was needed lately: a size that lay
// unused through a whole round of takes is given back to the system.
//
// Threading: one thread.
// Cost: O(1); sizes are rounded up to powers of two, of which large ones stay untouched beyond what
//   the frame needs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace rowhouse {

struct FrameMemory {
  std::unique_ptr<uint64_t[]> words;  // not initialized
  size_t capacity_bytes = 0;

  // Of `bytes`, rounded up to whole words.
  static FrameMemory Of(size_t bytes);
};

class FramePool {
 public:
  explicit FramePool(size_t kept_bytes_max) : kept_bytes_max_(kept_bytes_max) {}

  // At least `bytes`.
  FrameMemory Take(size_t bytes);
  // Memory that does not come from a pool is freed, and what would be too much.
  void Give(FrameMemory memory);

  size_t kept_bytes() const { return kept_bytes_; }

  static constexpr uint32_t kRoundTakes = 1024;

 private:
  static constexpr size_t kSizeBytesMin = 128;  // an answer to a push has 64
  static constexpr size_t kSizes = 32;

  struct Size {
    std::vector<FrameMemory> free;
    size_t unused = 0;  // the fewest that were free at any time of this round
  };
  // The first size with room for `bytes`; kSizes where none has.
  static size_t SizeFor(size_t bytes);
  void EndRound();

  const size_t kept_bytes_max_;
  size_t kept_bytes_ = 0;
  uint32_t takes_ = 0;  // of this round
  std::array<Size, kSizes> sizes_;
};

}  // namespace rowhouse

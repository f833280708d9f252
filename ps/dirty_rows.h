// Rows to be flushed, grouped by slot, so that they can be written in the order of the disk tier's
// keys although they lie in memory in the order of their creation.
//
// Threading: one shard, one thread.
// Cost: kRowBytes a row and 64 KB; nothing that was added is ever copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/types.h"

namespace rowhouse {

class DirtyRows {
 public:
  struct Ref {
    std::byte* row;
    uint32_t table;  // position in TableSet::all()
  };

  static constexpr uint64_t kRowBytes = 16;

  // REQUIRES: slot < 2^kSlotBits.
  void Add(SlotId slot, Ref ref);
  // Appends the rows of `slot` to `out`, in no particular order, and forgets them.
  void Take(SlotId slot, std::vector<Ref>* out);
  // Forgets all of them, and frees the memory.
  void Clear() { *this = DirtyRows(); }
  // Of all that were added since, also those that were taken.
  uint64_t used_bytes() const { return count_ * kRowBytes; }

 private:
  struct Node {
    std::byte* row;
    uint32_t table;
    uint32_t next;  // of the same slot
  };
  static_assert(sizeof(Node) == kRowBytes);
  Node& NodeAt(uint32_t number) const;

  std::vector<std::unique_ptr<Node[]>> pieces_;
  uint32_t count_ = 0;
  std::vector<uint32_t> heads_;  // by slot: one more than the first node, 0 for none
};

}  // namespace rowhouse

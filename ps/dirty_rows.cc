#include "ps/dirty_rows.h"

#include "common/slot_map.h"

namespace rowhouse {
namespace {

constexpr uint32_t kPieceShift = 10;
constexpr uint32_t kPieceMask = (1u << kPieceShift) - 1;

}  // namespace

DirtyRows::Node& DirtyRows::NodeAt(uint32_t number) const {
  return pieces_[number >> kPieceShift][number & kPieceMask];
}

void DirtyRows::Add(SlotId slot, Ref ref) {
  if (heads_.empty()) heads_.resize(size_t{1} << kSlotBits);
  if (count_ >> kPieceShift == pieces_.size()) {
    pieces_.push_back(std::make_unique_for_overwrite<Node[]>(size_t{1} << kPieceShift));
  }
  uint32_t& head = heads_[slot.value()];
  NodeAt(count_) = {ref.row, ref.table, head};
  head = ++count_;
}

void DirtyRows::Take(SlotId slot, std::vector<Ref>* out) {
  if (heads_.empty()) return;
  uint32_t& head = heads_[slot.value()];
  while (head != 0) {
    const Node& node = NodeAt(head - 1);
    out->push_back({node.row, node.table});
    head = node.next;
  }
}

}  // namespace rowhouse

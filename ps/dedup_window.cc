#include "ps/dedup_window.h"

#include <algorithm>

#include "common/refusal.h"

namespace rowhouse {

std::optional<Lsn> DedupWindow::Find(PartId part) const {
  const auto found = At(part);
  if (found == applied_.end() || found->first != part) return std::nullopt;
  return found->second.lsn;
}

absl::Status DedupWindow::CheckNew(PartId part, Sequence unretried_below,
                                   size_t entries_max) const {
  const Sequence floor = std::max(floor_, unretried_below);
  if (part.sequence < floor) {
    return Refuse(RefusalReason::kBelowWindow, "push ", part.sequence.value(),
                  " lies below the client's window, which begins at ", floor.value(),
                  ": it was given up or acknowledged before and is not applied again");
  }
  if (applied_.size() - CountBelow(floor) >= entries_max) {
    return Refuse(RefusalReason::kWindowFull, "the client has ", applied_.size(),
                  " pushes that it may still retry; dedup_entries_max is ", entries_max);
  }
  return absl::OkStatus();
}

void DedupWindow::Add(PartId part, const AppliedPart& applied, Sequence unretried_below) {
  floor_ = std::max(floor_, unretried_below);
  applied_.erase(applied_.cbegin(), At({floor_, ShardId(0)}));
  if (part.sequence < floor_) return;
  const auto at = At(part);
  if (at == applied_.end() || at->first != part) applied_.insert(at, {part, applied});
}

DedupWindow::Parts::const_iterator DedupWindow::At(PartId part) const {
  return std::lower_bound(
      applied_.begin(), applied_.end(), part,
      [](const Parts::value_type& entry, const PartId& wanted) { return entry.first < wanted; });
}

std::vector<Sequence> DedupWindow::AppliedSequences() const {
  std::vector<Sequence> sequences;
  for (const auto& [part, applied] : applied_) {
    if (sequences.empty() || sequences.back() != part.sequence) sequences.push_back(part.sequence);
  }
  return sequences;
}

// Few: numbers are given up almost as fast as they are added.
size_t DedupWindow::CountBelow(Sequence bound) const {
  return static_cast<size_t>(std::distance(applied_.begin(), At({bound, ShardId(0)})));
}

}  // namespace rowhouse

#include "ps/push_check.h"

#include <algorithm>
#include <bit>

#include "common/fingerprint.h"
#include "common/gradient_bound.h"
#include "common/refusal.h"

namespace rowhouse {
absl::Status CheckOwned(const TableRows& table, std::span<const Key> keys, const SlotMap& map,
                        ShardId shard) {
  for (const Key key : keys) {
    const ShardId owner = map.ShardOf(table.id(), key);
    if (owner == shard) continue;
    return Refuse(RefusalReason::kWrongShard, "table '", table.spec().name, "': key ", key.value(),
                  " belongs to shard ", owner.value(), ", this is shard ", shard.value());
  }
  return absl::OkStatus();
}

absl::Status CheckGradients(const TableRows& table, const PushSection& section) {
  const size_t unfit = FirstUnfitGradient(section.gradients);
  if (unfit == section.gradients.size()) return absl::OkStatus();
  const uint32_t dim = section.header.dim;
  return Refuse(RefusalReason::kBadGradient, "table '", table.spec().name, "': key ",
                section.keys[unfit / dim].value(), ": gradient element ", unfit % dim, " is ",
                section.gradients[unfit], "; it must be finite and within +-", kGradientAbsMax,
                "; nothing of this push was applied");
}

absl::Status DuplicateFinder::Check(const TableRows& table, std::span<const Key> keys) {
  if (keys.size() < 2) return absl::OkStatus();
  Prepare(keys.size());
  const size_t mask = entries_.size() - 1;
  for (uint32_t i = 0; i < keys.size(); ++i) {
    size_t at = Fingerprint(table.id(), keys[i]) & mask;
    while (entries_[at].stamp == stamp_) {
      if (keys[entries_[at].position] == keys[i]) {
        return Refuse(RefusalReason::kDuplicateKey, "table '", table.spec().name, "': key ",
                      keys[i].value(), " occurs twice in this push, at positions ",
                      entries_[at].position, " and ", i, ": sum its gradients first");
      }
      at = (at + 1) & mask;
    }
    entries_[at] = {stamp_, i};
  }
  return absl::OkStatus();
}

void DuplicateFinder::Prepare(size_t keys) {
  const size_t wanted = std::bit_ceil(2 * keys);
  if (entries_.size() < wanted || ++stamp_ == 0) {
    entries_.assign(std::max(wanted, entries_.size()), Entry());
    stamp_ = 1;
  }
}

}  // namespace rowhouse

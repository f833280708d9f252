// Which of one client's pushes a shard has applied: the memory that makes a retry harmless.
//
// A part of a push is known by the shard it was first sent to and its number. Numbers below the
// floor are those that the client said it will never retry; they are refused, not applied again.
//
// Threading: one shard, one thread.
// Cost: O(log size) a look-up; an Add moves what stays, some tens of numbers unless a client has an
//   old one open. Memory bounded by entries_max, and no allocation once it has grown.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/types.h"

namespace rowhouse {

struct PartId {
  Sequence sequence;
  ShardId first_shard;

  auto operator<=>(const PartId&) const = default;
};

// What is kept of a part that was applied.
struct AppliedPart {
  Lsn lsn;
  Step step;
  Mark mark;                // the one that it bears, its own or its shard's
  uint32_t part_count = 0;  // of the push, over all shards

  bool operator==(const AppliedPart&) const = default;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(lsn, step, mark, part_count);
  }
};

class DedupWindow {
 public:
  using Parts = std::vector<std::pair<PartId, AppliedPart>>;  // ascending

  // The LSN under which `part` was applied, or nothing.
  std::optional<Lsn> Find(PartId part) const;

  // Whether `part`, which Find does not know, may be applied now that the client has given up
  // every number below `unretried_below`. Errors: kBelowWindow; kWindowFull.
  absl::Status CheckNew(PartId part, Sequence unretried_below, size_t entries_max) const;

  // REQUIRES: CheckNew was OK, or the part comes from the log.
  void Add(PartId part, const AppliedPart& applied, Sequence unretried_below);

  Sequence floor() const { return floor_; }
  size_t size() const { return applied_.size(); }
  const Parts& parts() const { return applied_; }
  std::vector<Sequence> AppliedSequences() const;  // ascending, unique

  template <typename Archive>
  void save(Archive& archive) const {
    archive(floor_, static_cast<uint32_t>(applied_.size()));
    for (const auto& [part, applied] : applied_) {
      archive(part.sequence, part.first_shard, applied);
    }
  }
  template <typename Archive>
  void load(Archive& archive) {
    uint32_t count = 0;
    archive(floor_, count);
    applied_.clear();
    for (uint32_t i = 0; i < count; ++i) {
      PartId part;
      AppliedPart applied;
      archive(part.sequence, part.first_shard, applied);
      if (applied_.empty() || applied_.back().first < part) applied_.emplace_back(part, applied);
    }
  }

 private:
  // The first that is not below `part`.
  Parts::const_iterator At(PartId part) const;
  size_t CountBelow(Sequence bound) const;

  Sequence floor_{1};
  Parts applied_;
};

}  // namespace rowhouse

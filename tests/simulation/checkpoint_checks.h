// What has to hold of the checkpoints of a run.
//
// Threading: free functions.
// Errors: DataLoss, "checkpoint: <what is wrong>".
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/checkpoint_manifest.h"
#include "common/types.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/depot.h"

namespace rowhouse {

// A push over all its shards.
using PushName = std::tuple<ClientId, Incarnation, Sequence>;

// The records that belong to the cut: those marked less than `mark`. A push without a mark bears
// the highest that was announced to its shard before it. Tables are made whatever the mark.
Journal RecordsOfCut(const Journal& journal, Mark mark);

// The shard's rows as a restore finds them: the image, and of the log what is marked less than
// `mark`.
absl::StatusOr<Rows> RecoverCut(const PublishedShard& published, Mark mark);

// The recovered rows are those of the oracle that applied exactly the records of the cut, and none
// of these stands behind `cut`.
absl::Status CheckCut(const Journal& journal, Mark mark, Lsn cut, const Rows& recovered);

// Every push is in the cut with all its parts or with none, but for those that `half` names, which
// are in it with some, and for those that are `excused`: lost in part by a crash that their
// durability does not cover, or given up by their client. `journals`: one for each shard.
absl::Status CheckWholeSteps(std::span<const Journal* const> journals, Mark mark,
                             std::span<const HalfStep> half, const std::set<PushName>& excused);

// Pushes of which an acknowledged part was lost, and rightly so.
void AddLostPushes(std::span<const Life> lives, std::span<const Ack> acks,
                   std::set<PushName>* lost);

}  // namespace rowhouse

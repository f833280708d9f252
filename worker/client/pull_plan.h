// Turns a pull into requests, and their answers into the caller's rows.
//
// Threading: PlanPull in the calling thread; what it returns may be used by another one thread.
// Ownership: the requests point into the caller's keys and rows.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "common/slot_map.h"
#include "worker/client.h"
#include "worker/client/pull_packing.h"
#include "worker/client/request.h"

namespace rowhouse {

// REQUIRES: parts checked by CheckParts (call_checks.h).
// Returns requests in order of shards; those of one shard in the order in which they must be sent.
absl::StatusOr<std::vector<Request>> PlanPull(Step step, std::vector<PullPart> parts,
                                              const SlotMap& slots, const RequestLimits& limits);

}  // namespace rowhouse

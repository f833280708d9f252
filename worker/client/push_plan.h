// Turns a push into requests: one frame for each shard that it touches.
//
// Threading: in the calling thread; what it returns may be used by another one thread.
// Ownership: the requests point into the caller's keys and gradients where these can go on the wire
//   as they are, else into copies of their own.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/slot_map.h"
#include "common/wire/data.h"
#include "worker/client.h"
#include "worker/client/pull_packing.h"
#include "worker/client/request.h"

namespace rowhouse {

// REQUIRES: parts checked by CheckParts (call_checks.h).
// Errors: kTooManyKeys, kTooManyTables, kFrameTooLarge; kBadGradient where the gradients of a key
// that
//   repeats sum to what shards refuse. What a step pushes to one shard is one
//   record, so it cannot be cut in two.
absl::StatusOr<std::vector<Request>> PlanPush(Step step, std::vector<PushPart> parts,
                                              const SlotMap& slots, const RequestLimits& limits);

// Who pushes, under which number: known only when the call's turn has come.
struct PushIdentity {
  ClientId client;
  Incarnation incarnation;
  Sequence sequence;
  Sequence unretried_below;
  Mark mark;
};

// Writes the identity into a request that PlanPush made. Before SealFrame.
void StampPush(const PushIdentity& identity, Request* request);

// Lets `observer` see the answer to one part that is sealed. The request stays where it is.
void TellOfAnswer(std::function<void(const AcknowledgedPart&)> observer, Request* request);

}  // namespace rowhouse

// Pulls, pushes or both by turns, through one client or many.
//
// Threading: one thread; with several clients a second one drives half of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/plain_peer.h"
#include "tests/bench/row_model.h"
#include "tests/bench/sweep/sweep_contest.h"
#include "worker/client.h"

namespace rowhouse {

using SweepClients = std::span<const std::unique_ptr<Client>>;

enum class SweepKind { kPull, kPush, kMixed };

// Where pulled rows go: [batch_rows, dim] for each request that may be open.
using SweepBuffers = std::vector<std::vector<float>>;
SweepBuffers MakeSweepBuffers(size_t requests, const BatchPlan& plan);

// For `seconds`, `plan`'s batches in turn; as many requests are open on each client as there are
// buffers for it.
absl::StatusOr<SweepLoad> LoadRowhouse(SweepKind kind, SweepClients clients, const Table& table,
                                       const BatchPlan& plan, double seconds,
                                       SweepBuffers* buffers);

}  // namespace rowhouse

// Pulls and pushes through the client library, timed, and checked outside the timed part.
//
// Threading: one thread; the client has its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/bench/plain_peer.h"
#include "tests/bench/row_model.h"
#include "worker/client.h"

namespace rowhouse {

// Makes every row of the plan, with its initial weights, not in the order of the batches.
absl::Status FillTable(Client* client, const Table& table, const BatchPlan& plan);

class RowhouseLoad {
 public:
  // Creates the table and fills it. `client` and `plan` outlive it.
  static absl::StatusOr<std::unique_ptr<RowhouseLoad>> Prepare(Client* client,
                                                               const BatchPlan* plan,
                                                               TableSpec spec);

  // For `seconds`, `in_flight` requests at a time; the last answers are compared with the model.
  absl::StatusOr<LoadResult> Pulls(uint32_t in_flight, double seconds) {
    return PullsOf(client_, in_flight, seconds);
  }
  // The same through another client of the same server.
  absl::StatusOr<LoadResult> PullsOf(Client* client, uint32_t in_flight, double seconds);
  absl::StatusOr<LoadResult> Pushes(uint32_t in_flight, double seconds);

  // Pulls everything, compares every `stride`-th row with the model, and hashes all rows.
  absl::StatusOr<uint64_t> CheckAll(size_t stride);

 private:
  RowhouseLoad(Client* client, const BatchPlan* plan, TableSpec spec, Table table)
      : client_(client), plan_(plan), model_(std::move(spec), plan), table_(table) {}

  std::future<absl::Status> Pull(Client* client, size_t batch, std::span<float> rows);
  std::future<absl::Status> Push(size_t batch);
  size_t NextBatch() { return next_batch_++ % plan_->batch_count(); }

  Client* const client_;
  const BatchPlan* const plan_;
  RowModel model_;
  const Table table_;
  uint64_t step_ = 0;
  size_t next_batch_ = 0;
};

}  // namespace rowhouse

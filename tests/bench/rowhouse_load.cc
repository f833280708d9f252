#include "tests/bench/rowhouse_load.h"

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/wire/frame.h"
#include "tests/bench/keep_going.h"

namespace rowhouse {
namespace {

constexpr size_t kSampleStride = 61;  // prime, so that samples fall on all places of a cache line

}  // namespace

absl::StatusOr<std::unique_ptr<RowhouseLoad>> RowhouseLoad::Prepare(Client* client,
                                                                    const BatchPlan* plan,
                                                                    TableSpec spec) {
  ASSIGN_OR_RETURN(const Table table, client->CreateTable(spec));
  std::unique_ptr<RowhouseLoad> load(new RowhouseLoad(client, plan, std::move(spec), table));
  RETURN_IF_ERROR(FillTable(client, table, *plan));
  return load;
}

// Gradients of 0 leave the initial weights and accumulators as they are.
absl::Status FillTable(Client* client, const Table& table, const BatchPlan& plan) {
  const std::vector<Key> keys = plan.KeysInOrder();
  const std::vector<float> gradients(plan.batch_floats());
  for (std::span<const Key> rest = keys; !rest.empty();) {
    const auto some = rest.first(std::min<size_t>(plan.batch_rows(), rest.size()));
    const auto zeros = std::span(gradients).first(some.size() * plan.dim());
    RETURN_IF_ERROR(client->Push(Step(1), {{table, some, zeros}}).get());
    rest = rest.subspan(some.size());
  }
  return absl::OkStatus();
}

std::future<absl::Status> RowhouseLoad::Pull(Client* client, size_t batch, std::span<float> rows) {
  return client->Pull(Step(step_ + 1), {{table_, plan_->keys(batch), rows}});
}

std::future<absl::Status> RowhouseLoad::Push(size_t batch) {
  model_.NotePush(batch);
  return client_->Push(Step(++step_), {{table_, plan_->keys(batch), plan_->gradients()}});
}

absl::StatusOr<LoadResult> RowhouseLoad::PullsOf(Client* client, uint32_t in_flight,
                                                 double seconds) {
  struct Slot {
    std::vector<float> rows;
    size_t batch = 0;
    bool used = false;
  };
  std::vector<Slot> slots(in_flight);
  for (Slot& slot : slots) slot.rows.resize(plan_->batch_floats());
  const auto start = [&](size_t i) {
    slots[i].used = true;
    slots[i].batch = NextBatch();
    return Pull(client, slots[i].batch, slots[i].rows);
  };
  ASSIGN_OR_RETURN(const LoadResult result, KeepGoing(in_flight, seconds, start));
  for (const Slot& slot : slots) {
    if (slot.used) RETURN_IF_ERROR(model_.Check(slot.batch, slot.rows, kSampleStride));
  }
  return result;
}

absl::StatusOr<LoadResult> RowhouseLoad::Pushes(uint32_t in_flight, double seconds) {
  return KeepGoing(in_flight, seconds, [this](size_t) { return Push(NextBatch()); });
}

absl::StatusOr<uint64_t> RowhouseLoad::CheckAll(size_t stride) {
  std::vector<float> rows(plan_->batch_floats());
  std::vector<uint64_t> hashes;
  for (size_t batch = 0; batch < plan_->batch_count(); ++batch) {
    RETURN_IF_ERROR(Pull(client_, batch, rows).get());
    RETURN_IF_ERROR(model_.Check(batch, rows, stride));
    hashes.push_back(Checksum(std::as_bytes(std::span(rows))));
  }
  return Checksum(std::as_bytes(std::span(hashes)));
}

}  // namespace rowhouse

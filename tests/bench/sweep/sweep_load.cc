#include "tests/bench/sweep/sweep_load.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "common/status_macros.h"
#include "tests/bench/keep_going.h"

namespace rowhouse {
namespace {

struct Work {
  SweepKind kind;
  const Table& table;
  const BatchPlan& plan;
  double seconds;
};

bool IsPush(SweepKind kind, uint64_t number) {
  return kind == SweepKind::kPush || (kind == SweepKind::kMixed && number % 2 == 1);
}

// `stride` drivers share the batches; this one's are those from `first` on.
absl::StatusOr<LoadResult> Drive(const Work& work, SweepClients clients,
                                 std::span<std::vector<float>> rows, size_t first, size_t stride) {
  const BatchPlan& plan = work.plan;
  uint64_t sent = 0;
  return KeepGoing(static_cast<uint32_t>(rows.size()), work.seconds, [&](size_t slot) {
    Client* const client = clients[slot % clients.size()].get();
    const uint64_t number = sent++;
    const auto keys = plan.keys((first + stride * number) % plan.batch_count());
    if (IsPush(work.kind, number / clients.size())) {
      return client->Push(Step(number + 1), {{work.table, keys, plan.gradients()}});
    }
    return client->Pull(Step(number + 1), {{work.table, keys, rows[slot]}});
  });
}

}  // namespace

SweepBuffers MakeSweepBuffers(size_t requests, const BatchPlan& plan) {
  return SweepBuffers(requests, std::vector<float>(plan.batch_floats()));
}

absl::StatusOr<SweepLoad> LoadRowhouse(SweepKind kind, SweepClients clients, const Table& table,
                                       const BatchPlan& plan, double seconds,
                                       SweepBuffers* buffers) {
  const Work work{kind, table, plan, seconds};
  const size_t drivers = clients.size() > 1 ? 2 : 1;
  const size_t others = drivers == 2 ? clients.size() / 2 : 0;
  const size_t other_rows = others * (buffers->size() / clients.size());
  const std::span<std::vector<float>> rows(*buffers);
  absl::StatusOr<LoadResult> other = LoadResult();
  std::thread thread;
  if (drivers == 2) {
    thread = std::thread(
        [&] { other = Drive(work, clients.first(others), rows.first(other_rows), 1, 2); });
  }
  absl::StatusOr<LoadResult> one =
      Drive(work, clients.subspan(others), rows.subspan(other_rows), 0, drivers);
  if (thread.joinable()) thread.join();
  RETURN_IF_ERROR(one.status());
  RETURN_IF_ERROR(other.status());
  SweepLoad load{static_cast<double>(one->requests + other->requests) * plan.batch_rows(),
                 std::max(one->seconds, other->seconds), std::move(one->latencies_ms)};
  load.latencies_ms.insert(load.latencies_ms.end(), other->latencies_ms.begin(),
                           other->latencies_ms.end());
  return load;
}

}  // namespace rowhouse

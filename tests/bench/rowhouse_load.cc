#include "tests/bench/rowhouse_load.h"

#include <chrono>
#include <deque>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/wire/frame.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kSampleStride = 61;  // prime, so that samples fall on all places of a cache line

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Keeps `in_flight` requests going for `seconds`; `start(slot)` begins one that may use the slot,
// which nobody else uses until it is answered.
template <typename Start>
absl::StatusOr<LoadResult> KeepGoing(uint32_t in_flight, double seconds, const Start& start) {
  std::deque<std::future<absl::Status>> waiting;
  LoadResult result;
  const auto begin = Clock::now();
  const auto finish_oldest = [&] {
    const absl::Status status = waiting.front().get();
    waiting.pop_front();
    ++result.requests;
    return status;
  };
  for (uint64_t i = 0; SecondsSince(begin) < seconds; ++i) {
    if (waiting.size() == in_flight) RETURN_IF_ERROR(finish_oldest());
    waiting.push_back(start(i % in_flight));
  }
  while (!waiting.empty()) RETURN_IF_ERROR(finish_oldest());
  result.seconds = SecondsSince(begin);
  return result;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RowhouseLoad>> RowhouseLoad::Prepare(Client* client,
                                                                    const BatchPlan* plan,
                                                                    TableSpec spec) {
  ASSIGN_OR_RETURN(const Table table, client->CreateTable(spec));
  std::unique_ptr<RowhouseLoad> load(new RowhouseLoad(client, plan, std::move(spec), table));
  for (size_t batch = 0; batch < plan->batch_count(); ++batch) {
    RETURN_IF_ERROR(load->Push(batch).get());
  }
  return load;
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

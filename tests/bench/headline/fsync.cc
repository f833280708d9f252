#include "tests/bench/headline/fsync.h"

#include <thread>

#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/keep_going.h"
#include "tests/bench/rowhouse_load.h"

namespace rowhouse {
namespace {

constexpr size_t kClients = 2;

// Rows a second that one client pushes; each takes batches of its own.
absl::StatusOr<double> PushFrom(size_t number, Client* client, const Table& table,
                                const HeadlineOptions& options, const BatchPlan& plan) {
  uint64_t sent = 0;
  const auto push = [&](size_t) {
    const size_t batch = (number + kClients * sent++) % plan.batch_count();
    return client->Push(Step(plan.batch_count() + sent),
                        {{table, plan.keys(batch), plan.gradients()}});
  };
  ASSIGN_OR_RETURN(const LoadResult result,
                   KeepGoing(options.in_flight, options.fsync_seconds, push));
  return static_cast<double>(result.requests) * plan.batch_rows() / result.seconds;
}

absl::StatusOr<double> PushRate(Durability durability, const HeadlineOptions& options,
                                const CpuSplit& cpus, const BatchPlan& plan) {
  ASSIGN_OR_RETURN(const auto server, RowhouseServer::Start(options, cpus));
  ASSIGN_OR_RETURN(auto first, server->ConnectTcp());
  ASSIGN_OR_RETURN(auto second, server->ConnectTcp());
  const std::string name(DurabilityName(durability));
  ASSIGN_OR_RETURN(const Table table, first->CreateTable(HeadlineTable(options, name, durability)));
  RETURN_IF_ERROR(FillTable(first.get(), table, plan));
  RETURN_IF_ERROR(server->Drain());
  absl::StatusOr<double> other = 0.0;
  std::thread thread([&] { other = PushFrom(1, second.get(), table, options, plan); });
  const absl::StatusOr<double> one = PushFrom(0, first.get(), table, options, plan);
  thread.join();
  RETURN_IF_ERROR(one.status());
  RETURN_IF_ERROR(other.status());
  first.reset();
  second.reset();
  RETURN_IF_ERROR(server->Stop());
  return *one + *other;
}

}  // namespace

absl::Status MeasureFsync(const HeadlineOptions& options, const CpuSplit& cpus,
                          const BatchPlan& plan, Headline* headline) {
  ASSIGN_OR_RETURN(const double fsync, PushRate(Durability::kFsync, options, cpus, plan));
  ASSIGN_OR_RETURN(const double log, PushRate(Durability::kLog, options, cpus, plan));
  headline->figures.push_back({"push_fsync_over_log", {fsync / log}, 0.5});
  headline->rates.push_back({"push_fsync_2_clients", {fsync / 1e6}});
  headline->rates.push_back({"push_log_2_clients", {log / 1e6}});
  return absl::OkStatus();
}

}  // namespace rowhouse

#include "tests/bench/headline/idle.h"

#include <chrono>
#include <thread>

#include "common/status_macros.h"
#include "tests/bench/keep_going.h"

namespace rowhouse {

absl::Status MeasureIdle(const HeadlineOptions& options, const CpuSplit& cpus,
                         const BatchPlan& plan, Headline* headline) {
  ASSIGN_OR_RETURN(const auto server, RowhouseServer::Start(options, cpus));
  ASSIGN_OR_RETURN(auto client, server->ConnectTcp());
  for (const Durability durability : {Durability::kMemory, Durability::kLog}) {
    const std::string name(DurabilityName(durability));
    ASSIGN_OR_RETURN(const Table table,
                     client->CreateTable(HeadlineTable(options, name, durability)));
    RETURN_IF_ERROR(client->Push(Step(1), {{table, plan.keys(0), plan.gradients()}}).get());
  }
  RETURN_IF_ERROR(server->Drain());
  const double before = server->process().living_threads_seconds();
  const auto begin = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(options.idle_seconds));
  const double share = (server->process().living_threads_seconds() - before) / SecondsSince(begin);
  headline->figures.push_back({"idle_cpu", {share}, 0.005, true});
  client.reset();
  return server->Stop();
}

}  // namespace rowhouse

#include "tests/bench/headline/growth.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <thread>
#include <vector>

#include "common/status_macros.h"
#include "tests/bench/keep_going.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kDim = 16;
constexpr uint32_t kRequestRows = 512;
constexpr uint32_t kRoundsMax = 3;
constexpr uint64_t kOddFactor = 0x9E3779B97F4A7C15;  // spreads 0, 1, 2 .. over all keys, each once

// A thread that does nothing but wake, on given processors; how late it has been at worst.
class IdleTimer {
 public:
  explicit IdleTimer(const std::vector<int>& cpus) : thread_([this, cpus] { Run(cpus); }) {}
  ~IdleTimer() {
    if (thread_.joinable()) Stop();
  }
  double Stop() {
    stopping_ = true;
    thread_.join();
    return longest_ms_;
  }

 private:
  void Run(const std::vector<int>& cpus) {
    RunOnCpus(cpus);
    while (!stopping_) {
      const auto due = Clock::now() + std::chrono::milliseconds(1);
      std::this_thread::sleep_until(due);
      longest_ms_ = std::max(longest_ms_, SecondsSince(due) * 1e3);
    }
  }

  std::atomic<bool> stopping_ = false;
  double longest_ms_ = 0;
  std::thread thread_;
};

// The longest of the requests that make the table grow to `rows`.
absl::StatusOr<double> LongestRequestMs(Client* client, const Table& table, uint64_t rows) {
  const std::vector<float> gradients(size_t{kRequestRows} * kDim, 0.5f);
  std::vector<Key> keys(kRequestRows);
  double longest_ms = 0;
  uint64_t step = 0;
  for (uint64_t row = 0; row < rows;) {
    for (Key& key : keys) key = Key(row++ * kOddFactor);
    const auto begin = Clock::now();
    RETURN_IF_ERROR(client->Push(Step(++step), {{table, keys, gradients}}).get());
    longest_ms = std::max(longest_ms, SecondsSince(begin) * 1e3);
  }
  return longest_ms;
}

struct Growth {
  double longest_request_ms = 0;
  double server_timer_ms = 0;
  double client_timer_ms = 0;
};

absl::StatusOr<Growth> Grow(const HeadlineOptions& options, const CpuSplit& cpus) {
  ASSIGN_OR_RETURN(const auto server, RowhouseServer::Start(options, cpus));
  ASSIGN_OR_RETURN(auto client, server->ConnectTcp());
  TableSpec spec = HeadlineTable(options, "growing", Durability::kMemory);
  spec.dim = kDim;
  ASSIGN_OR_RETURN(const Table table, client->CreateTable(spec));
  RETURN_IF_ERROR(server->Drain());
  IdleTimer at_server(cpus.servers);
  IdleTimer at_client(cpus.client);
  Growth growth;
  ASSIGN_OR_RETURN(growth.longest_request_ms,
                   LongestRequestMs(client.get(), table, options.growth_rows));
  growth.server_timer_ms = at_server.Stop();
  growth.client_timer_ms = at_client.Stop();
  client.reset();
  server->Kill();
  return growth;
}

}  // namespace

// Before each round the machine rests: a virtual one that hands freed memory back to its hypervisor
// (free page reporting) does so for 6 to 8 s after the gigabytes of the round before. Whoever
// touches memory meanwhile waits, code and all: requests of 30 to 240 ms were seen, of which a
// timer that touches next to nothing has no trace.
absl::Status MeasureGrowth(const HeadlineOptions& options, const CpuSplit& cpus, const BatchPlan&,
                           Headline* headline) {
  Figure figure{"stall_growth_ms", {}, 20, true};
  Rate longest{"growth_longest_request", {}, "ms"};
  Rate at_server{"idle_timer_server_cpus", {}, "ms late"};
  Rate at_client{"idle_timer_client_cpus", {}, "ms late"};
  for (uint32_t round = 0; round < std::min(options.rounds, kRoundsMax); ++round) {
    std::cerr << "\rstall_growth_ms: round " << round + 1 << "                    " << std::flush;
    std::this_thread::sleep_for(std::chrono::duration<double>(options.growth_rest_seconds));
    ASSIGN_OR_RETURN(const Growth growth, Grow(options, cpus));
    figure.rounds.push_back(growth.longest_request_ms -
                            std::max(growth.server_timer_ms, growth.client_timer_ms));
    longest.rounds.push_back(growth.longest_request_ms);
    at_server.rounds.push_back(growth.server_timer_ms);
    at_client.rounds.push_back(growth.client_timer_ms);
  }
  headline->figures.push_back(std::move(figure));
  for (Rate* rate : {&longest, &at_server, &at_client}) {
    headline->rates.push_back(std::move(*rate));
  }
  return absl::OkStatus();
}

}  // namespace rowhouse

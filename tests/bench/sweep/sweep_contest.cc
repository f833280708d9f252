#include "tests/bench/sweep/sweep_contest.h"

#include <algorithm>
#include <sstream>

#include "common/status_macros.h"
#include "tests/bench/machine.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kRoundsMin = 2;

double ServerCpu(const SweepContender& contender) {
  return contender.server_cpu ? contender.server_cpu() : 0;
}

absl::Status MeasureRound(const SweepContender& contender, SweepOperation* operation) {
  const auto begin = Clock::now();
  const double machine_before = MachineCpuSeconds();
  const double server_before = ServerCpu(contender);
  const double client_before = OwnCpuSeconds();
  ASSIGN_OR_RETURN(const SweepLoad load, contender.round());
  const double client = OwnCpuSeconds() - client_before;
  if (contender.settle) RETURN_IF_ERROR(contender.settle());
  const double server = ServerCpu(contender) - server_before;
  const double ours = server + OwnCpuSeconds() - client_before;
  const double others = MachineCpuSeconds() - machine_before - ours;
  const double took = std::chrono::duration<double>(Clock::now() - begin).count();
  const double million_rows = load.rows / 1e6;
  operation->rounds.push_back({load.rows / load.seconds, server / million_rows,
                               client / million_rows, std::max(0.0, others / took)});
  operation->latencies_ms.insert(operation->latencies_ms.end(), load.latencies_ms.begin(),
                                 load.latencies_ms.end());
  return absl::OkStatus();
}

double MeanRate(const SweepOperation& operation) {
  double sum = 0;
  for (const SweepRound& round : operation.rounds) sum += round.rows_per_second;
  return sum / static_cast<double>(operation.rounds.size());
}

// Of the operations named, parted by blanks; empty where there are none.
std::string FastestOf(const std::string& names, const std::vector<SweepOperation>& operations) {
  std::istringstream words(names);
  std::string fastest;
  double best = 0;
  for (std::string name; words >> name;) {
    const auto found = std::find_if(operations.begin(), operations.end(),
                                    [&](const SweepOperation& o) { return o.name == name; });
    if (found == operations.end() || MeanRate(*found) <= best) continue;
    best = MeanRate(*found);
    fastest = name;
  }
  return fastest;
}

}  // namespace

absl::StatusOr<std::vector<SweepOperation>> SweepContest::Run(uint32_t rounds,
                                                              Clock::time_point deadline,
                                                              const Tell& tell) const {
  std::vector<SweepOperation> operations(contenders_.size());
  Clock::duration last_took{};
  for (uint32_t round = 0; round < rounds; ++round) {
    const auto begin = Clock::now();
    if (round >= kRoundsMin && begin + last_took > deadline) break;
    for (size_t i = 0; i < contenders_.size(); ++i) {
      const size_t at = round % 2 == 0 ? i : contenders_.size() - 1 - i;
      tell(round, contenders_[at].name);
      RETURN_IF_ERROR(MeasureRound(contenders_[at], &operations[at]));
    }
    last_took = Clock::now() - begin;
  }
  for (size_t i = 0; i < contenders_.size(); ++i) operations[i].name = contenders_[i].name;
  for (size_t i = 0; i < contenders_.size(); ++i) {
    operations[i].limit = FastestOf(contenders_[i].limit, operations);
    operations[i].bare = FastestOf(contenders_[i].bare, operations);
  }
  return operations;
}

}  // namespace rowhouse

#include "tests/bench/sweep/sweep_peers.h"

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/keep_going.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kRocksCacheBytes = 2ull << 30;  // all rows of the headline's table

}  // namespace

absl::StatusOr<std::unique_ptr<SweepPeers>> SweepPeers::Start(const SweepOptions& options,
                                                              const BatchPlan* plan,
                                                              const std::string& run_dir,
                                                              const CpuSplit& cpus) {
  std::unique_ptr<SweepPeers> peers(new SweepPeers(options, plan));
  ASSIGN_OR_RETURN(peers->rocks_, PlainRocks::Open(StrCat(run_dir, "/rocks"), kRocksCacheBytes));
  RETURN_IF_ERROR(peers->FillRocks());
  if (!options.peers) return peers;
  ASSIGN_OR_RETURN(peers->redis_, RedisPeer::Start(plan, run_dir, cpus.servers));
  const TorchOptions torch{options.torch_script, options.rows, plan->dim(), plan->batch_rows(), 1};
  ASSIGN_OR_RETURN(peers->torch_, TorchPeer::Start(torch, run_dir, cpus.servers));
  return peers;
}

// Values are weights and accumulators, as the server stores them. All of them are in the block
// cache then.
absl::Status SweepPeers::FillRocks() {
  const std::vector<float> values(plan_->batch_floats() * 2, 0.5f);
  for (size_t batch = 0; batch < plan_->batch_count(); ++batch) {
    RETURN_IF_ERROR(rocks_->Put(plan_->keys(batch), values, size_t{plan_->dim()} * 2));
  }
  RETURN_IF_ERROR(rocks_->Compact());
  std::vector<float> rows(plan_->batch_floats());
  for (size_t batch = 0; batch < plan_->batch_count(); ++batch) {
    RETURN_IF_ERROR(rocks_->Read(plan_->keys(batch), plan_->dim(), rows.data()));
  }
  return rocks_->Pause();
}

absl::StatusOr<SweepLoad> SweepPeers::Repeat(const std::function<absl::Status(size_t batch)>& run) {
  SweepLoad load;
  const auto begin = Clock::now();
  while (load.seconds < options_.seconds) {
    const auto batch_begin = Clock::now();
    RETURN_IF_ERROR(run(next_batch_++ % plan_->batch_count()));
    load.latencies_ms.push_back(static_cast<float>(SecondsSince(batch_begin) * 1e3));
    load.rows += plan_->batch_rows();
    load.seconds = SecondsSince(begin);
  }
  return load;
}

void SweepPeers::AddRocks(SweepContest* contest) {
  const size_t value_floats = size_t{plan_->dim()} * 2;
  contest->Add({.name = "rocksdb_multiget",
                .round =
                    [this, rows = std::vector<float>(plan_->batch_floats())]() mutable {
                      return Repeat([&](size_t batch) {
                        return rocks_->Read(plan_->keys(batch), plan_->dim(), rows.data());
                      });
                    },
                .server_cpu = nullptr,
                .settle = nullptr,
                .limit = "",
                .bare = ""});
  contest->Add({.name = "rocksdb_write",
                .round = [this, value_floats,
                          values = std::vector<float>(plan_->batch_floats() * 2,
                                                      0.5f)]() -> absl::StatusOr<SweepLoad> {
                  RETURN_IF_ERROR(rocks_->Resume());
                  ASSIGN_OR_RETURN(SweepLoad load, Repeat([&](size_t batch) {
                                     return rocks_->Put(plan_->keys(batch), values, value_floats,
                                                        PlainRocks::WriteAheadLog::kOn);
                                   }));
                  RETURN_IF_ERROR(rocks_->Pause());
                  return load;
                },
                .server_cpu = nullptr,
                .settle = nullptr,
                .limit = "",
                .bare = ""});
}

void SweepPeers::AddRedis(SweepContest* contest) {
  const auto add = [&](const char* name, auto load) {
    contest->Add({.name = name,
                  .round = [this, load]() -> absl::StatusOr<SweepLoad> {
                    ASSIGN_OR_RETURN(LoadResult result, load());
                    return SweepLoad{static_cast<double>(result.requests) * plan_->batch_rows(),
                                     result.seconds, std::move(result.latencies_ms)};
                  },
                  .server_cpu = [this] { return redis_->cpu_seconds(); },
                  .settle = nullptr,
                  .limit = "",
                  .bare = ""});
  };
  add("redis_mget", [this] { return redis_->Gets(options_.in_flight, options_.seconds); });
  add("redis_mset", [this] { return redis_->Sets(options_.in_flight, options_.seconds); });
}

void SweepPeers::AddTorch(SweepContest* contest) {
  const auto add = [&](const char* name, auto rate) {
    contest->Add({.name = name,
                  .round = [this, rate]() -> absl::StatusOr<SweepLoad> {
                    ASSIGN_OR_RETURN(const double rows_per_second, rate());
                    return SweepLoad{rows_per_second * options_.seconds, options_.seconds, {}};
                  },
                  .server_cpu = [this] { return torch_->cpu_seconds(); },
                  .settle = nullptr,
                  .limit = "",
                  .bare = ""});
  };
  add("torch_lookup", [this] { return torch_->LookUps(options_.seconds); });
  add("torch_step", [this] { return torch_->Steps(options_.seconds); });
}

void SweepPeers::AddTo(SweepContest* contest) {
  AddRocks(contest);
  if (redis_ != nullptr) AddRedis(contest);
  if (torch_ != nullptr) AddTorch(contest);
}

}  // namespace rowhouse

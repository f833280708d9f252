// Redis, RocksDB and PyTorch with the rows of a point.
//
// Threading: one thread; RocksDB starts threads that stay until the process ends.
// Ownership: everything ends with it.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tests/bench/bench_program.h"
#include "tests/bench/plain_rocks.h"
#include "tests/bench/redis_peer.h"
#include "tests/bench/row_model.h"
#include "tests/bench/sweep/sweep_contest.h"
#include "tests/bench/sweep/sweep_options.h"
#include "tests/bench/torch_peer.h"

namespace rowhouse {

class SweepPeers {
 public:
  // All rows are there then. Redis and PyTorch only where the options ask for them. `options` and
  // `plan` outlive it.
  static absl::StatusOr<std::unique_ptr<SweepPeers>> Start(const SweepOptions& options,
                                                           const BatchPlan* plan,
                                                           const std::string& run_dir,
                                                           const CpuSplit& cpus);

  // Outlives the contest.
  void AddTo(SweepContest* contest);

 private:
  SweepPeers(const SweepOptions& options, const BatchPlan* plan) : options_(options), plan_(plan) {}

  absl::Status FillRocks();
  void AddRocks(SweepContest* contest);
  void AddRedis(SweepContest* contest);
  void AddTorch(SweepContest* contest);
  // `run(batch)` does one batch.
  absl::StatusOr<SweepLoad> Repeat(const std::function<absl::Status(size_t batch)>& run);

  const SweepOptions& options_;
  const BatchPlan* const plan_;
  std::unique_ptr<PlainRocks> rocks_;
  std::unique_ptr<RedisPeer> redis_;
  std::unique_ptr<TorchPeer> torch_;
  size_t next_batch_ = 0;
};

}  // namespace rowhouse

#include "tests/bench/headline/tail.h"

#include <sys/prctl.h>

#include <deque>
#include <future>
#include <iostream>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "tests/bench/headline/open_loop.h"
#include "tests/bench/keep_going.h"
#include "tests/bench/request_sizes.h"
#include "tests/bench/rowhouse_load.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kSmallRows = 64;
constexpr uint32_t kCapacityInFlight = 32;
constexpr double kLoadShare = 0.5;
// Parts of a round in which the two take turns: where others use the processors' host, a p99 is of
// their making, and within seconds it is another.
constexpr uint32_t kTurns = 6;

// Without it the kernel lets timers be late by 50 us, which is more than some of the answers take.
void AskForExactTimers() { ::prctl(PR_SET_TIMERSLACK, 1); }

// Small requests through the client library.
class SmallRequests final : public OpenLoopPeer {
 public:
  SmallRequests(Client* client, const Table& table, const BatchPlan* plan)
      : client_(client),
        table_(table),
        plan_(plan),
        rows_(kOpenMax, std::vector<float>(plan->batch_floats())) {}

  absl::Status Send(bool is_push, size_t slot) override {
    waiting_.push_back(Start(is_push, slot));
    return absl::OkStatus();
  }

  absl::StatusOr<bool> TakeAnswer(Clock::time_point until) override {
    if (!IsReady(until)) return false;
    const absl::Status status = waiting_.front().get();
    waiting_.pop_front();
    RETURN_IF_ERROR(status);
    return true;
  }

  // Requests a second in a closed loop.
  absl::StatusOr<double> Capacity(double seconds) {
    uint64_t sent = 0;
    const auto start = [&](size_t slot) { return Start(++sent % kPushEvery == 0, slot); };
    ASSIGN_OR_RETURN(const LoadResult result, KeepGoing(kCapacityInFlight, seconds, start));
    return static_cast<double>(result.requests) / result.seconds;
  }

 private:
  // Waits where there is something to wait for: a wait that ends in the past is a system call with
  // a timer, and a loop that is late would only be later for it.
  bool IsReady(Clock::time_point until) const {
    const auto ready = std::future_status::ready;
    const std::future<absl::Status>& oldest = waiting_.front();
    if (oldest.wait_for(Clock::duration::zero()) == ready) return true;
    return Clock::now() < until && oldest.wait_until(until) == ready;
  }

  std::future<absl::Status> Start(bool is_push, size_t slot) {
    const auto keys = plan_->keys(next_batch_++ % plan_->batch_count());
    if (!is_push) return client_->Pull(Step(step_ + 1), {{table_, keys, rows_[slot]}});
    return client_->Push(Step(++step_), {{table_, keys, plan_->gradients()}});
  }

  Client* const client_;
  const Table table_;
  const BatchPlan* const plan_;
  std::vector<std::vector<float>> rows_;
  std::deque<std::future<absl::Status>> waiting_;
  uint64_t next_batch_ = 0;
  uint64_t step_ = 0;
};

class Tail {
 public:
  Tail(const HeadlineOptions& options, const MixedStick& stick)
      : options_(options), stick_(stick), small_(options.rows, kSmallRows, options.dim) {}

  absl::Status Run(const CpuSplit& cpus, const BatchPlan& plan, Headline* headline) {
    ASSIGN_OR_RETURN(const auto server, RowhouseServer::Start(options_, cpus));
    ASSIGN_OR_RETURN(auto client, server->ConnectTcp());
    ASSIGN_OR_RETURN(const Table table,
                     client->CreateTable(HeadlineTable(options_, "small", Durability::kMemory)));
    RETURN_IF_ERROR(FillTable(client.get(), table, plan));
    AskForExactTimers();
    SmallRequests requests(client.get(), table, &small_);
    RETURN_IF_ERROR(requests.Capacity(options_.seconds).status());  // to warm up
    ASSIGN_OR_RETURN(capacity_, requests.Capacity(options_.seconds));
    for (uint32_t round = 0; round < options_.rounds; ++round) {
      std::cerr << "\rp99_small_pull: round " << round + 1 << " of " << options_.rounds
                << "                    " << std::flush;
      RETURN_IF_ERROR(server->Drain());
      RETURN_IF_ERROR(Round(round, &requests));
    }
    Append(headline);
    client.reset();
    return server->Stop();
  }

 private:
  absl::Status Round(uint32_t round, SmallRequests* requests) {
    ASSIGN_OR_RETURN(const auto raw, stick_.Connect());
    std::vector<double> raw_ms;
    std::vector<double> own_ms;
    for (uint32_t turn = 0; turn < kTurns; ++turn) {
      const uint64_t seed = uint64_t{round} * kTurns + turn;
      const bool raw_first = turn % 2 == 0;
      if (raw_first) RETURN_IF_ERROR(Turn(seed, raw.get(), &raw_ms));
      RETURN_IF_ERROR(Turn(seed, requests, &own_ms));
      if (!raw_first) RETURN_IF_ERROR(Turn(seed, raw.get(), &raw_ms));
    }
    raw_p50_.push_back(Percentile(raw_ms, 0.5));
    raw_p99_.push_back(Percentile(raw_ms, 0.99));
    own_p50_.push_back(Percentile(own_ms, 0.5));
    own_p99_.push_back(Percentile(own_ms, 0.99));
    ratios_.push_back(own_p99_.back() / raw_p99_.back());
    return absl::OkStatus();
  }

  absl::Status Turn(uint64_t seed, OpenLoopPeer* peer, std::vector<double>* latencies_ms) const {
    const auto draw = [&](double seconds) {
      return DrawArrivals(capacity_ * kLoadShare, seconds / kTurns, seed);
    };
    RETURN_IF_ERROR(RunOpenLoop(draw(options_.warm_seconds), peer).status());
    ASSIGN_OR_RETURN(const auto turn_ms, RunOpenLoop(draw(options_.tail_seconds), peer));
    latencies_ms->insert(latencies_ms->end(), turn_ms.begin(), turn_ms.end());
    return absl::OkStatus();
  }

  void Append(Headline* headline) const {
    headline->figures.push_back({"p99_small_pull", ratios_, 3, true});
    headline->rates.push_back({"small_capacity", {capacity_ / 1e3}, "k requests/s"});
    headline->rates.push_back({"small_pull_p50", own_p50_, "ms"});
    headline->rates.push_back({"small_pull_p99", own_p99_, "ms"});
    headline->rates.push_back({"limit_raw_small_pull_p50", raw_p50_, "ms"});
    headline->rates.push_back({"limit_raw_small_pull_p99", raw_p99_, "ms"});
  }

  const HeadlineOptions& options_;
  const MixedStick& stick_;
  const BatchPlan small_;
  double capacity_ = 0;
  std::vector<double> raw_p50_;
  std::vector<double> raw_p99_;
  std::vector<double> own_p50_;
  std::vector<double> own_p99_;
  std::vector<double> ratios_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MixedStick>> StartTailStick(const HeadlineOptions& options,
                                                           const CpuSplit& cpus) {
  const BatchPlan one_batch(kSmallRows, kSmallRows, options.dim);
  return MixedStick::Start({PullSizes(one_batch), PushSizes(one_batch)}, cpus);
}

absl::Status MeasureTail(const HeadlineOptions& options, const CpuSplit& cpus,
                         const BatchPlan& plan, const MixedStick& stick, Headline* headline) {
  return Tail(options, stick).Run(cpus, plan, headline);
}

}  // namespace rowhouse

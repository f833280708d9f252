#include "tests/bench/headline/bursts.h"

#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/bare_work.h"
#include "tests/bench/headline/contender.h"
#include "tests/bench/plain_rocks.h"
#include "tests/bench/redis_peer.h"
#include "tests/bench/request_sizes.h"
#include "tests/bench/rowhouse_load.h"
#include "tests/bench/torch_peer.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kRocksCacheBytes = 64ull << 20;
constexpr size_t kFinalStride = 97;

class Bursts {
 public:
  Bursts(const HeadlineOptions& options, const CpuSplit& cpus, const BatchPlan& plan,
         const Sticks& sticks)
      : options_(options), cpus_(cpus), plan_(plan), sticks_(sticks) {}

  absl::Status Run(Headline* headline) {
    RETURN_IF_ERROR(Prepare());
    AddSticks();
    AddRowhouse();
    AddRocks();
    if (options_.peers) AddPeers();
    RETURN_IF_ERROR(contest_.Run(options_.rounds, "bursts"));
    RETURN_IF_ERROR(memory_->CheckAll(kFinalStride).status());
    RETURN_IF_ERROR(log_->CheckAll(kFinalStride).status());
    AppendFigures(headline);
    contest_.AppendRates(&headline->rates);
    unix_client_.reset();
    client_.reset();
    return server_->Stop();
  }

 private:
  absl::Status Prepare() {
    ASSIGN_OR_RETURN(server_, RowhouseServer::Start(options_, cpus_));
    ASSIGN_OR_RETURN(client_, server_->ConnectTcp());
    ASSIGN_OR_RETURN(unix_client_, server_->ConnectUnix());
    const auto table = [this](const char* name, Durability durability) {
      return RowhouseLoad::Prepare(client_.get(), &plan_,
                                   HeadlineTable(options_, name, durability));
    };
    ASSIGN_OR_RETURN(memory_, table("memory", Durability::kMemory));
    ASSIGN_OR_RETURN(log_, table("log", Durability::kLog));
    ASSIGN_OR_RETURN(rocks_, PlainRocks::Open(StrCat(dir_.path(), "/rocks"), kRocksCacheBytes));
    RETURN_IF_ERROR(rocks_->Pause());
    if (!options_.peers) return absl::OkStatus();
    ASSIGN_OR_RETURN(redis_, RedisPeer::Start(&plan_, dir_.path(), cpus_.servers));
    ASSIGN_OR_RETURN(torch_, TorchPeer::Start({options_.torch_script, options_.rows, options_.dim,
                                               options_.batch_rows, 1},
                                              dir_.path(), cpus_.servers));
    return absl::OkStatus();
  }

  double RowsPerSecond(const LoadResult& result) const {
    return static_cast<double>(result.requests) * plan_.batch_rows() / result.seconds;
  }

  // `run(seconds)` gives a LoadResult; `warm(seconds)` touches what it will touch. The server has
  // come to rest before, whoever is measured.
  template <typename Run, typename Warm>
  void Add(std::string name, double seconds, Run run, Warm warm) {
    contest_.Add({std::move(name), [this] { return server_->Drain(); },
                  [this, warm] { return warm(options_.warm_seconds).status(); },
                  [this, seconds, run]() -> absl::StatusOr<double> {
                    ASSIGN_OR_RETURN(const LoadResult result, run(seconds));
                    return RowsPerSecond(result);
                  }});
  }
  template <typename Run>
  void Add(std::string name, Run run) {
    Add(std::move(name), options_.seconds, run, run);
  }

  void AddSticks() {
    const auto asio = [this](PlainSizes sizes) {
      return [this, sizes](double seconds) {
        return PlainLoad(sticks_.asio_port(), sizes, options_.in_flight, seconds);
      };
    };
    const auto raw = [this](const RawEndpoint& at, uint64_t work, PlainSizes sizes,
                            FillRequest fill) {
      return [this, at, work, sizes, fill](double seconds) {
        return RawLoad(at, work, 1, {sizes, options_.in_flight, seconds, fill});
      };
    };
    const RawEndpoint& tcp = sticks_.tcp();
    Add("limit_asio_pull", asio(PullSizes(plan_)));
    Add("limit_raw_pull", raw(tcp, kLimitWork, PullSizes(plan_), nullptr));
    Add("limit_raw_pull_unix", raw(sticks_.unix_path(), kLimitWork, PullSizes(plan_), nullptr));
    Add("bare_pull", raw(tcp, kBarePullWork, BarePullSizes(plan_), BarePulls(&plan_)));
    Add("bare_pull_whole", raw(tcp, kBarePullWholeWork, BarePullSizes(plan_), BarePulls(&plan_)));
    Add("limit_asio_push", asio(PushSizes(plan_)));
    Add("limit_raw_push", raw(tcp, kLimitWork, PushSizes(plan_), nullptr));
    Add("bare_push", raw(tcp, kBarePushWork, BarePushSizes(plan_), BarePushes(&plan_)));
  }

  // Pushes are made warm by pulls, which leave nothing for the log to write.
  void AddRowhouse() {
    const auto pulls = [this](RowhouseLoad* load, Client* client) {
      return [this, load, client](double seconds) {
        return load->PullsOf(client, options_.in_flight, seconds);
      };
    };
    const auto pushes = [this](RowhouseLoad* load) {
      return [this, load](double seconds) { return load->Pushes(options_.in_flight, seconds); };
    };
    Add("pull", pulls(memory_.get(), client_.get()));
    Add("pull_unix", pulls(memory_.get(), unix_client_.get()));
    Add("push_memory", options_.burst_seconds, pushes(memory_.get()),
        pulls(memory_.get(), client_.get()));
    Add("push_log", options_.burst_seconds, pushes(log_.get()), pulls(log_.get(), client_.get()));
  }

  // The rows with their accumulators, as the server stores them.
  void AddRocks() {
    contest_.Add({"rocksdb_write", [this] { return server_->Drain(); }, nullptr,
                  [this]() -> absl::StatusOr<double> {
                    std::vector<float> values(plan_.batch_floats() * 2, 0.5f);
                    RETURN_IF_ERROR(rocks_->Resume());
                    const auto begin = Clock::now();
                    uint64_t rows = 0;
                    double seconds = 0;
                    while (seconds < options_.burst_seconds) {
                      RETURN_IF_ERROR(rocks_->Put(plan_.keys(rocks_batch_++ % plan_.batch_count()),
                                                  values, size_t{options_.dim} * 2,
                                                  PlainRocks::WriteAheadLog::kOn));
                      rows += plan_.batch_rows();
                      seconds = std::chrono::duration<double>(Clock::now() - begin).count();
                    }
                    RETURN_IF_ERROR(rocks_->Pause());
                    return static_cast<double>(rows) / seconds;
                  }});
  }

  void AddPeers() {
    const auto drain = [this] { return server_->Drain(); };
    const auto warm_torch = [this] { return torch_->LookUps(options_.warm_seconds).status(); };
    Add("redis_mget", [this](double seconds) { return redis_->Gets(options_.in_flight, seconds); });
    Add("redis_mset", [this](double seconds) { return redis_->Sets(options_.in_flight, seconds); });
    contest_.Add(
        {"torch_lookup", drain, warm_torch, [this] { return torch_->LookUps(options_.seconds); }});
    contest_.Add(
        {"torch_step", drain, warm_torch, [this] { return torch_->Steps(options_.seconds); }});
  }

  void AppendFigures(Headline* headline) const {
    const auto add = [&](const char* name, const std::string& above, const std::string& below,
                         double target) {
      headline->figures.push_back({name, contest_.Ratio(above, below), target});
    };
    add("pull_over_bare", "pull", contest_.Faster("bare_pull", "bare_pull_whole"), 0.85);
    add("push_memory_over_bare", "push_memory", "bare_push", 0.70);
    add("pull_over_limit", "pull", contest_.Faster("limit_asio_pull", "limit_raw_pull"), 0.42);
    add("push_memory_over_limit", "push_memory",
        contest_.Faster("limit_asio_push", "limit_raw_push"), 0.27);
    add("push_log_over_memory", "push_log", "push_memory", 0.8);
    add("push_log_over_rocksdb", "push_log", "rocksdb_write", 20);
    add("unix_over_tcp", "pull_unix", "pull", 1.05);
    if (!options_.peers) return;
    add("pull_over_redis", "pull", "redis_mget", 5);
    add("push_log_over_torch", "push_log", "torch_step", 4);
  }

  const HeadlineOptions& options_;
  const CpuSplit& cpus_;
  const BatchPlan& plan_;
  const Sticks& sticks_;
  const TempDir dir_;
  std::unique_ptr<RowhouseServer> server_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Client> unix_client_;
  std::unique_ptr<RowhouseLoad> memory_;
  std::unique_ptr<RowhouseLoad> log_;
  std::unique_ptr<PlainRocks> rocks_;
  std::unique_ptr<RedisPeer> redis_;
  std::unique_ptr<TorchPeer> torch_;
  size_t rocks_batch_ = 0;
  Contest contest_;
};

}  // namespace

absl::Status MeasureBursts(const HeadlineOptions& options, const CpuSplit& cpus,
                           const BatchPlan& plan, const Sticks& sticks, Headline* headline) {
  return Bursts(options, cpus, plan, sticks).Run(headline);
}

}  // namespace rowhouse

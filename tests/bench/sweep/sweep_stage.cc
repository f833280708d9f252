#include "tests/bench/sweep/sweep_stage.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/bare_work.h"
#include "tests/bench/headline/stage.h"
#include "tests/bench/machine.h"
#include "tests/bench/request_sizes.h"
#include "tests/bench/sweep/sweep_answers.h"
#include "tests/bench/sweep/sweep_contest.h"
#include "tests/bench/sweep/sweep_load.h"
#include "tests/bench/sweep/sweep_peers.h"
#include "tests/bench/sweep/sweep_sticks.h"
#include "tests/support/temp_dir.h"

namespace rowhouse {
namespace {

constexpr size_t kFillFloats = 4 << 20;  // in one request
constexpr char kNeverFlush[] = "1099511627776";
constexpr char kPullLimits[] = "limit_raw_pull limit_asio_pull";
constexpr char kPushLimits[] = "limit_raw_push limit_asio_push";

HeadlineOptions ServerOptions(const SweepOptions& options, const SweepStage& stage) {
  HeadlineOptions told;
  told.server = options.server;
  told.data_dir = options.data_dir;
  told.dim = stage.dim;
  told.shards = stage.shards;
  return told;
}

uint64_t AvailableBytes() {
  std::ifstream in("/proc/meminfo");
  for (std::string word; in >> word;) {
    uint64_t kilobytes = 0;
    if (word == "MemAvailable:" && in >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

// Rows with their accumulators in the server's tables and in the bare one, indexes and lists of
// keys.
uint64_t NeededBytes(const SweepStage& stage) {
  constexpr uint64_t kBesidesRow = 48;
  const uint64_t tables = stage.is_memory_only ? 2 : 3;
  return stage.rows * tables * (uint64_t{stage.dim} * 2 * sizeof(float) + kBesidesRow);
}

SweepLoad ToRows(LoadResult result, uint32_t batch_rows) {
  return {static_cast<double>(result.requests) * batch_rows, result.seconds,
          std::move(result.latencies_ms)};
}

class StageRun {
 public:
  StageRun(const SweepOptions& options, const CpuSplit& cpus, const SweepStage& stage,
           SweepSchedule* schedule, SweepResult* result)
      : options_(options),
        cpus_(cpus),
        stage_(stage),
        told_(ServerOptions(options, stage)),
        filled_(stage.rows, options.batch_rows, stage.dim),
        schedule_(schedule),
        result_(result) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(sticks_, SweepSticks::Start(&filled_, cpus_, dir_.path()));
    RunOnCpus(cpus_.client);
    std::vector<std::string> more;
    if (stage_.is_memory_only) more = {"--flush-log-bytes", kNeverFlush};
    ASSIGN_OR_RETURN(server_, RowhouseServer::Start(told_, cpus_, std::move(more)));
    RETURN_IF_ERROR(FillTables());
    for (const SweepPoint& point : stage_.points) RETURN_IF_ERROR(MeasurePoint(point));
    if (!stage_.is_memory_only) return server_->Stop();
    server_->Kill();
    return absl::OkStatus();
  }

 private:
  absl::Status FillTables() {
    ASSIGN_OR_RETURN(const auto client, server_->ConnectTcp());
    const uint64_t before = server_->process().resident_bytes();
    ASSIGN_OR_RETURN(memory_, FillTable(client.get(), Durability::kMemory));
    const auto grown = static_cast<double>(server_->process().resident_bytes() - before);
    resident_bytes_per_row_ = grown / static_cast<double>(stage_.rows);
    if (stage_.is_memory_only) return absl::OkStatus();
    ASSIGN_OR_RETURN(log_, FillTable(client.get(), Durability::kLog));
    return absl::OkStatus();
  }

  // A row for every key, and then rest.
  absl::StatusOr<Table> FillTable(Client* client, Durability durability) {
    const std::string name(DurabilityName(durability));
    schedule_->Tell(StrCat(stage_.points.front().name, ": filling table '", name, "'"));
    ASSIGN_OR_RETURN(const Table table,
                     client->CreateTable(HeadlineTable(told_, name, durability)));
    const std::vector<float> gradients(kFillFloats, 0.5f);
    for (auto rest = filled_.all_keys(); !rest.empty();) {
      const auto keys = rest.first(std::min(kFillFloats / stage_.dim, rest.size()));
      const auto filled = std::span(gradients).first(keys.size() * stage_.dim);
      RETURN_IF_ERROR(client->Push(Step(1), {{table, keys, filled}}).get());
      rest = rest.subspan(keys.size());
    }
    RETURN_IF_ERROR(server_->Drain());
    return table;
  }

  absl::Status MeasurePoint(const SweepPoint& point) {
    if (!schedule_->IsWanted(point)) return absl::OkStatus();
    schedule_->Tell(StrCat(point.name, ": checking answers"));
    const BatchPlan plan = SweepRequests(stage_, point);
    ASSIGN_OR_RETURN(const auto clients, Connect(point));
    SweepPointResult measured{.point = point,
                              .rows = stage_.rows,
                              .dim = stage_.dim,
                              .shards = stage_.shards,
                              .answers_hash = {},
                              .resident_bytes_per_row = resident_bytes_per_row_,
                              .operations = {}};
    // Initial values that depend on the table's name would make hashes that do, too.
    TableSpec fresh = HeadlineTable(told_, StrCat("check_", point.name), Durability::kMemory);
    fresh.initializer = Initializer::Constant(0.1f);
    ASSIGN_OR_RETURN(measured.answers_hash, CheckSweepAnswers(clients, fresh, plan));
    SweepBuffers buffers = MakeSweepBuffers(size_t{point.clients} * point.in_flight, plan);
    SweepContest contest;
    AddSticks(point, plan, &contest);
    AddRowhouse(plan, clients, &buffers, &contest);
    std::unique_ptr<SweepPeers> peers;
    if (point.has_peers) {
      ASSIGN_OR_RETURN(const Table fsync, FillTable(clients.front().get(), Durability::kFsync));
      Add("push_fsync", Rowhouse(SweepKind::kPush, fsync, plan, clients, &buffers), kPushLimits,
          "bare_push", &contest);
      schedule_->Tell(StrCat(point.name, ": starting peers"));
      ASSIGN_OR_RETURN(peers, SweepPeers::Start(options_, &plan, dir_.path(), cpus_));
      peers->AddTo(&contest);
    }
    RETURN_IF_ERROR(server_->Drain());
    const auto tell = [&](uint32_t round, const std::string& contender) {
      schedule_->Tell(
          StrCat(point.name, ": round ", round + 1, " of ", options_.rounds, ", ", contender));
    };
    ASSIGN_OR_RETURN(measured.operations,
                     contest.Run(options_.rounds, schedule_->DeadlineOf(point), tell));
    result_->points.push_back(std::move(measured));
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::unique_ptr<Client>>> Connect(const SweepPoint& point) const {
    std::vector<std::unique_ptr<Client>> clients;
    while (clients.size() < point.clients) {
      ASSIGN_OR_RETURN(auto client, point.is_unix ? server_->ConnectUnix() : server_->ConnectTcp());
      clients.push_back(std::move(client));
    }
    return clients;
  }

  using RunLoad = std::function<absl::StatusOr<SweepLoad>()>;

  void AddSticks(const SweepPoint& point, const BatchPlan& plan, SweepContest* contest) const {
    const auto add = [&](const char* name, RunLoad round) {
      contest->Add({.name = name,
                    .round = std::move(round),
                    .server_cpu = [this] { return sticks_->cpu_seconds(); },
                    .settle = nullptr,
                    .limit = "",
                    .bare = ""});
    };
    const auto raw = [&](uint64_t work, PlainSizes sizes, FillRequest fill) -> RunLoad {
      return [this, &point, &plan, work, sizes, fill]() -> absl::StatusOr<SweepLoad> {
        ASSIGN_OR_RETURN(LoadResult result,
                         RawLoad(sticks_->raw(point.is_unix), work, point.clients,
                                 {sizes, point.in_flight, options_.seconds, fill}));
        return ToRows(std::move(result), plan.batch_rows());
      };
    };
    add("limit_raw_pull", raw(kLimitWork, PullSizes(plan), nullptr));
    add("limit_raw_push", raw(kLimitWork, PushSizes(plan), nullptr));
    add("bare_pull", raw(kBarePullWork, BarePullSizes(plan), BarePulls(&plan)));
    add("bare_push", raw(kBarePushWork, BarePushSizes(plan), BarePushes(&plan)));
    if (point.is_unix || point.clients > 1) return;  // plain Asio knows one TCP client
    const auto asio = [&](PlainSizes sizes) -> RunLoad {
      return [this, &point, &plan, sizes]() -> absl::StatusOr<SweepLoad> {
        ASSIGN_OR_RETURN(LoadResult result,
                         PlainLoad(sticks_->asio_port(), sizes, point.in_flight, options_.seconds));
        return ToRows(std::move(result), plan.batch_rows());
      };
    };
    add("limit_asio_pull", asio(PullSizes(plan)));
    add("limit_asio_push", asio(PushSizes(plan)));
  }

  RunLoad Rowhouse(SweepKind kind, const Table& table, const BatchPlan& plan, SweepClients clients,
                   SweepBuffers* buffers) const {
    return [this, kind, table, &plan, clients, buffers] {
      return LoadRowhouse(kind, clients, table, plan, options_.seconds, buffers);
    };
  }

  void Add(const char* name, RunLoad round, const char* limit, const char* bare,
           SweepContest* contest) const {
    contest->Add({.name = name,
                  .round = std::move(round),
                  .server_cpu = [this] { return server_->process().cpu_seconds(); },
                  .settle = [this] { return server_->Drain(); },
                  .limit = limit,
                  .bare = bare});
  }

  void AddRowhouse(const BatchPlan& plan, SweepClients clients, SweepBuffers* buffers,
                   SweepContest* contest) const {
    const auto load = [&](SweepKind kind, const Table& table) {
      return Rowhouse(kind, table, plan, clients, buffers);
    };
    Add("pull", load(SweepKind::kPull, memory_), kPullLimits, "bare_pull", contest);
    Add("push_memory", load(SweepKind::kPush, memory_), kPushLimits, "bare_push", contest);
    Add("mixed", load(SweepKind::kMixed, memory_), "", "", contest);
    if (stage_.is_memory_only) return;
    Add("push_log", load(SweepKind::kPush, log_), kPushLimits, "bare_push", contest);
  }

  const SweepOptions& options_;
  const CpuSplit& cpus_;
  const SweepStage& stage_;
  const HeadlineOptions told_;
  const BatchPlan filled_;  // all rows, in the order in which they are made
  SweepSchedule* const schedule_;
  SweepResult* const result_;
  const TempDir dir_;
  std::unique_ptr<SweepSticks> sticks_;
  std::unique_ptr<RowhouseServer> server_;
  Table memory_;
  Table log_;
  double resident_bytes_per_row_ = 0;
};

}  // namespace

absl::Status MeasureSweepStage(const SweepOptions& options, const CpuSplit& cpus,
                               const SweepStage& stage, SweepSchedule* schedule,
                               SweepResult* result) {
  if (NeededBytes(stage) <= AvailableBytes()) {
    return StageRun(options, cpus, stage, schedule, result).Run();
  }
  for (const SweepPoint& point : stage.points) {
    if (!schedule->IsWanted(point)) continue;
    result->skipped.push_back(
        {point.name, absl::StrFormat("it takes %.1f GB of memory, of which %.1f are available",
                                     static_cast<double>(NeededBytes(stage)) / 1e9,
                                     static_cast<double>(AvailableBytes()) / 1e9)});
  }
  return absl::OkStatus();
}

}  // namespace rowhouse

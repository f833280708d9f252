// The rounds of all kinds are interleaved, so that what else the machine does hits all alike; each
// kind is run with 1 and with 4 requests in flight.
#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <iostream>
#include <thread>

#include "absl/strings/str_format.h"
#include "common/config.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/bench_program.h"
#include "tests/bench/benches.h"
#include "tests/bench/child_process.h"
#include "tests/bench/machine.h"
#include "tests/bench/plain_peer.h"
#include "tests/bench/report.h"
#include "tests/bench/request_sizes.h"
#include "tests/bench/row_model.h"
#include "tests/bench/rowhouse_load.h"
#include "tests/support/temp_dir.h"

namespace rowhouse {
namespace {

struct BenchOptions {
  uint32_t rounds = 7;
  double seconds = 1;
  uint64_t rows = 1000000;
  uint32_t dim = 64;
  uint32_t batch_rows = 4096;
  uint32_t shards = 1;
  bool pin = true;
  std::string server;
  std::string data_dir;
  std::string json_file;
};

Settings MakeSettings(BenchOptions* options) {
  Settings settings;
  settings.Section("bench", "What to measure");
  settings.Integer("rounds", &options->rounds, {1, 1000}, "rounds", "Rounds of every kind");
  settings.Number("seconds", &options->seconds, {0.01, 3600}, "s", "Length of one round");
  settings.Integer("rows", &options->rows, {1, 1ull << 32}, "rows",
                   "Rows in each of the two tables, rounded down to whole batches");
  settings.Integer("dim", &options->dim, {1, kDimMax}, "floats", "Length of a row");
  settings.Integer("batch_rows", &options->batch_rows, {1, 1 << 20}, "rows", "Rows in a request");
  settings.Integer("shards", &options->shards, {1, 64}, "shards", "Shards of the server");
  settings.Switch("pin", &options->pin,
                  "Give the servers the first half of the processors and the client the rest");
  settings.Text("server", &options->server, "FILE",
                "The rowhouse-ps to measure; by default the one beside this program");
  settings.Text("data_dir", &options->data_dir, "DIR",
                "Where the server's data goes meanwhile; by default a temporary directory");
  settings.Text("json", &options->json_file, "FILE", "Write the results as JSON too");
  return settings;
}

Program BenchProgram() {
  return {"rowhouse-bench",
          ROWHOUSE_VERSION,
          "Measures pulls and pushes over TCP loopback beside plain Asio.",
          {},
          {"rowhouse-bench", "rowhouse-bench --rounds 3 --seconds 0.5 --json bench.json"}};
}

TableSpec SpecOf(const BenchOptions& options, std::string name, Durability durability) {
  TableSpec spec;
  spec.name = std::move(name);
  spec.dim = options.dim;
  spec.seed = 1;
  spec.initializer = Initializer::Uniform(-0.1f, 0.1f);
  spec.durability = durability;
  return spec;
}

using Clock = std::chrono::steady_clock;
using RunLoad = std::function<absl::StatusOr<LoadResult>(uint32_t in_flight)>;

class Bench {
 public:
  Bench(BenchOptions options, uint16_t plain_port, const ChildProcess* plain_server,
        const ChildProcess* server)
      : options_(std::move(options)),
        plan_(options_.rows, options_.batch_rows, options_.dim),
        plain_port_(plain_port),
        plain_server_(plain_server),
        server_(server) {}

  absl::StatusOr<Report> Run(Client* client) {
    ASSIGN_OR_RETURN(memory_, RowhouseLoad::Prepare(
                                  client, &plan_, SpecOf(options_, "memory", Durability::kMemory)));
    ASSIGN_OR_RETURN(
        log_, RowhouseLoad::Prepare(client, &plan_, SpecOf(options_, "log", Durability::kLog)));
    ASSIGN_OR_RETURN(const uint64_t hash, memory_->CheckAll(1));
    AddSeries();
    for (uint32_t round = 0; round < options_.rounds; ++round) {
      for (size_t i = 0; i < series_.size(); ++i) {
        // Backwards every other time, so that nobody always runs after the same neighbour.
        RETURN_IF_ERROR(RunRound(&series_[round % 2 == 0 ? i : series_.size() - 1 - i]));
      }
      std::cerr << "\rround " << round + 1 << " of " << options_.rounds << std::flush;
    }
    std::cerr << "\n";
    RETURN_IF_ERROR(memory_->CheckAll(kFinalStride).status());
    RETURN_IF_ERROR(log_->CheckAll(kFinalStride).status());
    return MakeReport(hash);
  }

 private:
  static constexpr size_t kFinalStride = 97;
  static constexpr auto kSettleLook = std::chrono::milliseconds(30);
  static constexpr auto kSettleMax = std::chrono::seconds(30);

  struct RunningSeries {
    Series series;
    RunLoad rowhouse;
    RunLoad plain;
  };

  void AddSeries() {
    const auto plain = [this](const PlainSizes& sizes) {
      return [this, sizes](uint32_t in_flight) {
        return PlainLoad(plain_port_, sizes, in_flight, options_.seconds);
      };
    };
    for (const uint32_t in_flight : {1u, 4u}) {
      const auto add = [&](const char* name, const PlainSizes& sizes, RunLoad run) {
        series_.push_back({{name, in_flight, {}, {}}, std::move(run), plain(sizes)});
      };
      add("pull", PullSizes(plan_),
          [this](uint32_t n) { return memory_->Pulls(n, options_.seconds); });
      add("push memory", PushSizes(plan_),
          [this](uint32_t n) { return memory_->Pushes(n, options_.seconds); });
      add("push log", PushSizes(plan_),
          [this](uint32_t n) { return log_->Pushes(n, options_.seconds); });
    }
  }

  absl::Status RunRound(RunningSeries* running) {
    Series& series = running->series;
    ASSIGN_OR_RETURN(const Round rowhouse, Measure(running->rowhouse, series.in_flight, *server_));
    series.rowhouse.push_back(rowhouse);
    ASSIGN_OR_RETURN(const Round plain, Measure(running->plain, series.in_flight, *plain_server_));
    series.plain.push_back(plain);
    return absl::OkStatus();
  }

  absl::StatusOr<Round> Measure(const RunLoad& run, uint32_t in_flight,
                                const ChildProcess& server) const {
    Settle();
    const double machine_before = MachineCpuSeconds();
    const double ours_before = OursCpuSeconds();
    const double server_before = server.cpu_seconds();
    ASSIGN_OR_RETURN(const LoadResult result, run(in_flight));
    const double requests = static_cast<double>(result.requests);
    const double rows = requests * options_.batch_rows;
    Round round;
    round.rows_per_second = rows / result.seconds;
    round.requests_per_second = requests / result.seconds;
    round.server_cpu_seconds = (server.cpu_seconds() - server_before) / (rows / 1e6);
    const double others = MachineCpuSeconds() - machine_before - (OursCpuSeconds() - ours_before);
    round.other_load = std::max(0.0, others / result.seconds);
    return round;
  }

  // Flushes that a round caused end after it: they must not slow the next one down.
  void Settle() const {
    const auto deadline = Clock::now() + kSettleMax;
    for (double before = -1; Clock::now() < deadline;) {
      const double now = server_->cpu_seconds() + plain_server_->cpu_seconds();
      if (now == before) break;
      before = now;
      std::this_thread::sleep_for(kSettleLook);
    }
  }

  double OursCpuSeconds() const {
    return OwnCpuSeconds() + server_->cpu_seconds() + plain_server_->cpu_seconds();
  }

  Report MakeReport(uint64_t hash) {
    Report report;
    report.machine = ReadMachineFacts();
    report.settings = {{"rounds", options_.rounds},
                       {"seconds", options_.seconds},
                       {"rows", plan_.batch_count() * plan_.batch_rows()},
                       {"dim", options_.dim},
                       {"batch_rows", options_.batch_rows},
                       {"shards", options_.shards},
                       {"pin", options_.pin}};
    for (RunningSeries& running : series_) report.series.push_back(std::move(running.series));
    report.result_hash = absl::StrFormat("%016x", hash);
    return report;
  }

  const BenchOptions options_;
  const BatchPlan plan_;
  const uint16_t plain_port_;
  const ChildProcess* const plain_server_;
  const ChildProcess* const server_;
  std::unique_ptr<RowhouseLoad> memory_;
  std::unique_ptr<RowhouseLoad> log_;
  std::vector<RunningSeries> series_;
};

absl::Status RunBench(BenchOptions options) {
  if (options.server.empty()) options.server = ProgramBeside("rowhouse-ps");
  const TempDir temp_dir;
  if (options.data_dir.empty()) options.data_dir = StrCat(temp_dir.path(), "/data");

  const CpuSplit cpus = SplitCpus(options.pin);
  ASSIGN_OR_RETURN(const PlainListener listener, ListenPlain());
  ASSIGN_OR_RETURN(const ChildProcess plain_server,
                   ChildProcess::Call([&] { ServePlain(listener.fd); }, cpus.servers));
  ASSIGN_OR_RETURN(ServerProcess server,
                   StartServer({options.server, options.data_dir, options.shards, {}},
                               temp_dir.path(), cpus.servers));
  RunOnCpus(cpus.client);
  ClientOptions client_options;
  client_options.servers = {server.endpoint};
  client_options.program = "rowhouse-bench";
  client_options.prefer_local = false;  // as the plain server's client, over TCP
  ASSIGN_OR_RETURN(std::unique_ptr<Client> client, Client::Connect(client_options));

  const std::string json_file = options.json_file;
  Bench bench(std::move(options), listener.port, &plain_server, &server.process);
  ASSIGN_OR_RETURN(const Report report, bench.Run(client.get()));
  client.reset();
  RETURN_IF_ERROR(server.process.Stop());
  std::cout << ToText(report);
  return WriteJson(json_file, ToJson(report));
}

}  // namespace

int RunRpcBench(int argc, char** argv) {
  BenchOptions options;
  Settings settings = MakeSettings(&options);
  return RunBenchProgram(argc, argv, settings, BenchProgram(), [&] { return RunBench(options); });
}

}  // namespace rowhouse

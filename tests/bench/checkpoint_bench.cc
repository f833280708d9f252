// What a checkpoint costs those who train meanwhile: pulls and pushes at full speed, without and
// with a checkpoint being taken, in turn.
//
// A round "with" lasts as long as `rowhousectl checkpoint create` runs, a round "without" as long
// as the flags say. Latency is that of a call of the client library.
#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <iostream>
#include <memory>

#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/bench_program.h"
#include "tests/bench/benches.h"
#include "tests/bench/child_process.h"
#include "tests/bench/machine.h"
#include "tests/bench/row_model.h"
#include "tests/support/temp_dir.h"
#include "worker/client.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

// seconds: of a round without a checkpoint.
struct CheckpointOptions : TableBenchOptions {
  CheckpointOptions() {
    rows = 2000000;
    batch_rows = 1024;
  }
  uint32_t shards = 1;
  uint32_t in_flight = 2;
  std::string rowhousectl;
};

Settings MakeSettings(CheckpointOptions* options) {
  Settings settings = TableBenchSettings(options);
  settings.Integer("shards", &options->shards, {1, 64}, "shards", "Shards of the server");
  settings.Integer("in_flight", &options->in_flight, {1, 64}, "requests",
                   "Pulls and pushes, in turn, that are open at a time");
  settings.Text(
      "rowhousectl", &options->rowhousectl, "FILE",
      "The rowhousectl that makes the checkpoints; by default the one beside this program");
  return settings;
}

Program CheckpointProgram() {
  return {"rowhouse-bench checkpoint",
          ROWHOUSE_VERSION,
          "Measures what a checkpoint costs those who train meanwhile.",
          {},
          {"rowhouse-bench checkpoint", "rowhouse-bench checkpoint --rounds 1 --json ckpt.json"}};
}

// Of all requests of one kind of round.
struct Sample {
  std::vector<double> latencies_ms;
  uint64_t rows = 0;
  double seconds = 0;

  double rows_per_second() const { return static_cast<double>(rows) / seconds; }
  // REQUIRES: sorted, not empty.
  double Quantile(double q) const {
    const auto last = static_cast<double>(latencies_ms.size() - 1);
    return latencies_ms[static_cast<size_t>(q * last)];
  }
};

class CheckpointBench {
 public:
  explicit CheckpointBench(CheckpointOptions options)
      : options_(std::move(options)),
        plan_(options_.rows, options_.batch_rows, options_.dim),
        cpus_(SplitCpus(options_.pin)) {
    spec_.name = "trained";
    spec_.dim = options_.dim;
    spec_.seed = 1;
    spec_.initializer = Initializer::Uniform(-0.1f, 0.1f);
    spec_.durability = Durability::kLog;
    model_ = std::make_unique<RowModel>(spec_, &plan_);
  }

  absl::Status Run() {
    RunOnCpus(cpus_.client);
    ASSIGN_OR_RETURN(ServerProcess server,
                     StartServer({options_.server, Path("data"), options_.shards, {}},
                                 temp_dir_.path(), cpus_.servers));
    ClientOptions client_options;
    client_options.servers = {server.endpoint};
    client_options.program = "rowhouse-bench";
    client_options.prefer_local = false;  // as their clients would from other hosts, over TCP
    ASSIGN_OR_RETURN(client_, Client::Connect(client_options));
    ASSIGN_OR_RETURN(table_, client_->CreateTable(spec_));
    RETURN_IF_ERROR(Fill());
    for (uint32_t round = 0; round < options_.rounds; ++round) {
      std::cerr << "\rround " << round + 1 << " of " << options_.rounds << std::flush;
      RETURN_IF_ERROR(WithoutCheckpoint());
      RETURN_IF_ERROR(WithCheckpoint(server.endpoint));
    }
    std::cerr << "\n";
    RETURN_IF_ERROR(CheckSome());
    client_.reset();
    RETURN_IF_ERROR(server.process.Stop());
    Print();
    return WriteJson(options_.json_file, ToJson());
  }

 private:
  absl::Status Fill() {
    std::deque<std::future<absl::Status>> open;
    for (size_t batch = 0; batch < plan_.batch_count(); ++batch) {
      if (open.size() == kFillInFlight) {
        RETURN_IF_ERROR(open.front().get());
        open.pop_front();
      }
      open.push_back(Push(batch));
    }
    for (auto& pushed : open) RETURN_IF_ERROR(pushed.get());
    return absl::OkStatus();
  }

  std::future<absl::Status> Push(size_t batch) {
    model_->NotePush(batch);
    return client_->Push(Step(++step_), {{table_, plan_.keys(batch), plan_.gradients()}});
  }

  absl::Status WithoutCheckpoint() {
    const auto end = Clock::now() + std::chrono::duration<double>(options_.seconds);
    return Train([end] { return Clock::now() < end; }, &without_);
  }

  absl::Status WithCheckpoint(const std::string& endpoint) {
    const auto begin = Clock::now();
    ASSIGN_OR_RETURN(ChildProcess ctl,
                     ChildProcess::Run({options_.rowhousectl, "checkpoint", "create", "--servers",
                                        endpoint, "--dir", Path("checkpoints")},
                                       Path("rowhousectl.log"), cpus_.servers));
    RETURN_IF_ERROR(Train([&ctl] { return ctl.running(); }, &with_));
    checkpoint_seconds_.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    return ctl.Wait();
  }

  // Pulls and pushes in turn, `in_flight` at a time, while `more()`.
  absl::Status Train(const std::function<bool()>& more, Sample* sample) {
    struct Open {
      std::future<absl::Status> done;
      Clock::time_point begin;
    };
    std::deque<Open> open;
    std::vector<std::vector<float>> buffers(options_.in_flight,
                                            std::vector<float>(plan_.batch_floats()));
    const auto begin = Clock::now();
    const auto finish_oldest = [&] {
      const absl::Status status = open.front().done.get();
      const auto latency = Clock::now() - open.front().begin;
      open.pop_front();
      sample->latencies_ms.push_back(std::chrono::duration<double, std::milli>(latency).count());
      sample->rows += plan_.batch_rows();
      return status;
    };
    for (uint64_t i = 0; more(); ++i) {
      if (open.size() == options_.in_flight) RETURN_IF_ERROR(finish_oldest());
      const size_t batch = next_batch_ % plan_.batch_count();
      const bool pull = i % 2 == 0;
      next_batch_ += pull ? 0 : 1;
      const auto called = Clock::now();
      open.push_back({pull ? Pull(batch, buffers[i % options_.in_flight]) : Push(batch), called});
    }
    while (!open.empty()) RETURN_IF_ERROR(finish_oldest());
    sample->seconds += std::chrono::duration<double>(Clock::now() - begin).count();
    return absl::OkStatus();
  }

  std::future<absl::Status> Pull(size_t batch, std::span<float> rows) {
    return client_->Pull(Step(step_ + 1), {{table_, plan_.keys(batch), rows}});
  }

  absl::Status CheckSome() {
    std::vector<float> rows(plan_.batch_floats());
    for (size_t batch = 0; batch < plan_.batch_count(); batch += kCheckStride) {
      RETURN_IF_ERROR(Pull(batch, rows).get());
      RETURN_IF_ERROR(model_->Check(batch, rows, 1));
    }
    return absl::OkStatus();
  }

  double ThroughputRatio() const { return with_.rows_per_second() / without_.rows_per_second(); }

  void Print() {
    std::cout << absl::StrFormat("%d rows of dim %d, %d shards, %d rows a request\n",
                                 plan_.batch_count() * plan_.batch_rows(), options_.dim,
                                 options_.shards, options_.batch_rows);
    std::cout << absl::StrFormat("%-20s %10s %12s %8s %8s %10s %10s\n", "", "requests", "M rows/s",
                                 "p50 ms", "p99 ms", "p99.9 ms", "longest ms");
    PrintRow("without a checkpoint", &without_);
    PrintRow("with one", &with_);
    std::cout << absl::StrFormat("throughput with / without: %.2f; seconds a checkpoint:",
                                 ThroughputRatio());
    for (const double seconds : checkpoint_seconds_) std::cout << absl::StrFormat(" %.1f", seconds);
    std::cout << "\nrows checked\n";
  }

  static void PrintRow(const char* name, Sample* sample) {
    std::sort(sample->latencies_ms.begin(), sample->latencies_ms.end());
    std::cout << absl::StrFormat("%-20s %10d %12.2f %8.1f %8.1f %10.1f %10.1f\n", name,
                                 sample->latencies_ms.size(), sample->rows_per_second() / 1e6,
                                 sample->Quantile(0.5), sample->Quantile(0.99),
                                 sample->Quantile(0.999), sample->Quantile(1));
  }

  static boost::json::object ToJson(const Sample& sample) {
    return {{"requests", sample.latencies_ms.size()}, {"rows_per_second", sample.rows_per_second()},
            {"p50_ms", sample.Quantile(0.5)},         {"p99_ms", sample.Quantile(0.99)},
            {"p999_ms", sample.Quantile(0.999)},      {"max_ms", sample.Quantile(1)}};
  }

  boost::json::object ToJson() const {
    return {{"rows", plan_.batch_count() * plan_.batch_rows()},
            {"dim", options_.dim},
            {"shards", options_.shards},
            {"without", ToJson(without_)},
            {"with", ToJson(with_)},
            {"throughput_ratio", ThroughputRatio()},
            {"checkpoint_seconds", boost::json::value_from(checkpoint_seconds_)}};
  }

  std::string Path(const char* name) const { return StrCat(temp_dir_.path(), "/", name); }

  static constexpr size_t kFillInFlight = 4;
  static constexpr size_t kCheckStride = 13;

  const CheckpointOptions options_;
  const TempDir temp_dir_;
  const BatchPlan plan_;
  const CpuSplit cpus_;
  TableSpec spec_;
  std::unique_ptr<RowModel> model_;
  std::unique_ptr<Client> client_;
  Table table_;
  uint64_t step_ = 0;
  uint64_t next_batch_ = 0;
  Sample without_;
  Sample with_;
  std::vector<double> checkpoint_seconds_;
};

}  // namespace

int RunCheckpointBench(int argc, char** argv) {
  CheckpointOptions options;
  Settings settings = MakeSettings(&options);
  return RunBenchProgram(argc, argv, settings, CheckpointProgram(), [&] {
    if (options.server.empty()) options.server = ProgramBeside("rowhouse-ps");
    if (options.rowhousectl.empty()) options.rowhousectl = ProgramBeside("rowhousectl");
    return CheckpointBench(options).Run();
  });
}

}  // namespace rowhouse

// Tables larger than memory: pulls and pushes by Zipf's law under budgets from the whole table down
// to a tenth of it, beside plain RocksDB that reads the same rows with the same memory as block
// cache.
//
// A batch is `batch_rows` draws with every key once, as a client sends it. Rowhouse serves it over
// TCP loopback from a process of its own; plain RocksDB reads it in this one, which spares it the
// network. The rounds of both are interleaved.
#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <deque>
#include <iostream>
#include <memory>
#include <unordered_set>

#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/bench_program.h"
#include "tests/bench/benches.h"
#include "tests/bench/child_process.h"
#include "tests/bench/machine.h"
#include "tests/bench/plain_rocks.h"
#include "tests/bench/row_model.h"
#include "tests/bench/zipf.h"
#include "tests/support/temp_dir.h"
#include "worker/client.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kInFlight = 4;
// Of the table: all of it with room to spare, then parts.
constexpr double kBudgets[] = {1.5, 0.5, 0.25, 0.1};

// batch_rows: keys drawn for a request.
struct TierOptions : TableBenchOptions {
  TierOptions() {
    rounds = 5;
    seconds = 2;
  }
  double warm_up_seconds = 10;
  double exponent = 1.05;
  double budget = 0;
  uint32_t batches = 8192;
};

Settings MakeSettings(TierOptions* options) {
  Settings settings = TableBenchSettings(options);
  settings.Number("warm_up_seconds", &options->warm_up_seconds, {0.01, 3600}, "s",
                  "Requests before the first round of each budget");
  settings.Integer("batches", &options->batches, {1, 1 << 20}, "requests",
                   "Drawn beforehand and used in turn: enough that they do not come again within a "
                   "round, or all that they name might fit into memory");
  settings.Number("exponent", &options->exponent, {0, 10}, "s", "Of Zipf's law");
  settings.Number("budget", &options->budget, {0, 100}, "part",
                  "The only budget to measure, as a part of the table; 0: all of them");
  return settings;
}

Program TierProgram() {
  return {"rowhouse-bench tier",
          ROWHOUSE_VERSION,
          "Measures tables larger than the memory budget, beside plain RocksDB.",
          {},
          {"rowhouse-bench tier", "rowhouse-bench tier --rounds 3 --json tier.json"}};
}

std::vector<std::vector<Key>> DrawBatches(const TierOptions& options, const BatchPlan& plan) {
  const uint64_t rows = plan.batch_count() * plan.batch_rows();
  const Zipf zipf(rows, options.exponent);
  Random random(1);
  std::vector<std::vector<Key>> batches(options.batches);
  for (std::vector<Key>& batch : batches) {
    std::unordered_set<uint64_t> ranks;
    for (uint32_t i = 0; i < options.batch_rows; ++i) ranks.insert(zipf.Draw(&random));
    for (const uint64_t rank : ranks) {
      batch.push_back(plan.keys(rank / plan.batch_rows())[rank % plan.batch_rows()]);
    }
  }
  return batches;
}

double RowsPerSecond(uint64_t rows, Clock::time_point begin) {
  return static_cast<double>(rows) / std::chrono::duration<double>(Clock::now() - begin).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// What one budget gave.
struct BudgetResult {
  double budget = 0;  // of the table
  uint64_t budget_bytes = 0;
  std::vector<double> pulls;   // rows a second, by round
  std::vector<double> plain;   // the same
  std::vector<double> pushes;  // the same
  uint64_t resident_bytes = 0;
  uint64_t resident_after_pushes_bytes = 0;
};

class TierBench {
 public:
  explicit TierBench(TierOptions options)
      : options_(std::move(options)),
        plan_(options_.rows, options_.batch_rows, options_.dim),
        batches_(DrawBatches(options_, plan_)),
        cpus_(SplitCpus(options_.pin)) {
    spec_.name = "tier";
    spec_.dim = options_.dim;
    spec_.seed = 1;
    spec_.initializer = Initializer::Uniform(-0.1f, 0.1f);
    spec_.durability = Durability::kLog;
    model_ = std::make_unique<RowModel>(spec_, &plan_);
  }

  absl::Status Run() {
    RunOnCpus(cpus_.client);
    RETURN_IF_ERROR(Fill());
    for (const double budget : kBudgets) {
      if (options_.budget == 0 || options_.budget == budget) RETURN_IF_ERROR(MeasurePulls(budget));
    }
    for (BudgetResult& result : results_) RETURN_IF_ERROR(MeasurePushes(&result));
    std::cerr << "\n";
    Print();
    return WriteJson(options_.json_file, ToJson());
  }

 private:
  struct Running {
    ServerProcess server;
    std::unique_ptr<Client> client;
    Table table;
  };

  uint64_t row_count() const { return plan_.batch_count() * plan_.batch_rows(); }
  uint64_t table_bytes() const { return row_count() * options_.dim * 2 * sizeof(float); }

  absl::StatusOr<Running> Start(uint64_t budget_bytes) {
    std::vector<std::string> more;
    if (budget_bytes != 0) more = {"--memory-bytes-max", StrCat(budget_bytes)};
    ASSIGN_OR_RETURN(ServerProcess server,
                     StartServer({options_.server, StrCat(temp_dir_.path(), "/data"), 1, more},
                                 temp_dir_.path(), cpus_.servers));
    ClientOptions client_options;
    client_options.servers = {server.endpoint};
    client_options.program = "rowhouse-bench";
    client_options.prefer_local = false;  // as their clients would from other hosts, over TCP
    client_options.request_timeout_ms = 600000;
    ASSIGN_OR_RETURN(std::unique_ptr<Client> client, Client::Connect(client_options));
    ASSIGN_OR_RETURN(const Table table, client->CreateTable(spec_));
    return Running{std::move(server), std::move(client), table};
  }

  absl::Status Stop(Running* running) {
    running->client.reset();
    return running->server.process.Stop();
  }

  // Every row is pushed once, and copied into plain RocksDB.
  absl::Status Fill() {
    Tell("filling the table");
    ASSIGN_OR_RETURN(Running running, Start(0));
    ASSIGN_OR_RETURN(const auto plain, PlainRocks::Open(PlainPath(), 64 << 20));
    for (size_t batch = 0; batch < plan_.batch_count(); ++batch) {
      model_->NotePush(batch);
      RETURN_IF_ERROR(
          running.client
              ->Push(Step(++step_), {{running.table, plan_.keys(batch), plan_.gradients()}})
              .get());
      RETURN_IF_ERROR(CopyToPlain(running, batch, plain.get()));
    }
    RETURN_IF_ERROR(plain->Compact());
    return Stop(&running);
  }

  absl::Status CopyToPlain(const Running& running, size_t batch, PlainRocks* plain) {
    std::vector<float> rows(plan_.batch_floats());
    RETURN_IF_ERROR(
        running.client->Pull(Step(step_ + 1), {{running.table, plan_.keys(batch), rows}}).get());
    RETURN_IF_ERROR(model_->Check(batch, rows, 1));
    std::vector<float> values;
    for (size_t i = 0; i < plan_.batch_rows(); ++i) {
      const auto row = std::span(rows).subspan(i * options_.dim, options_.dim);
      const auto gradients = plan_.gradients().subspan(i * options_.dim, options_.dim);
      values.insert(values.end(), row.begin(), row.end());
      for (const float gradient : gradients) values.push_back(gradient * gradient);
    }
    return plain->Put(plan_.keys(batch), values, size_t{options_.dim} * 2);
  }

  absl::Status MeasurePulls(double budget) {
    BudgetResult result;
    result.budget = budget;
    result.budget_bytes = static_cast<uint64_t>(budget * static_cast<double>(table_bytes()));
    ASSIGN_OR_RETURN(Running running, Start(result.budget_bytes));
    ASSIGN_OR_RETURN(const auto plain, PlainRocks::Open(PlainPath(), result.budget_bytes));
    Tell(absl::StrFormat("pulls, budget %.2f", budget));
    RETURN_IF_ERROR(Pulls(running, options_.warm_up_seconds).status());
    RETURN_IF_ERROR(PlainReads(plain.get(), options_.warm_up_seconds).status());
    for (uint32_t round = 0; round < options_.rounds; ++round) {
      ASSIGN_OR_RETURN(const double pulls, Pulls(running, options_.seconds));
      ASSIGN_OR_RETURN(const double reads, PlainReads(plain.get(), options_.seconds));
      result.pulls.push_back(pulls);
      result.plain.push_back(reads);
    }
    RETURN_IF_ERROR(CheckEveryRow(running));
    result.resident_bytes = running.server.process.resident_bytes();
    results_.push_back(std::move(result));
    return Stop(&running);
  }

  absl::Status MeasurePushes(BudgetResult* result) {
    ASSIGN_OR_RETURN(Running running, Start(result->budget_bytes));
    Tell(absl::StrFormat("pushes, budget %.2f", result->budget));
    RETURN_IF_ERROR(Pushes(running, options_.warm_up_seconds).status());
    for (uint32_t round = 0; round < options_.rounds; ++round) {
      ASSIGN_OR_RETURN(const double pushes, Pushes(running, options_.seconds));
      result->pushes.push_back(pushes);
    }
    result->resident_after_pushes_bytes = running.server.process.resident_bytes();
    return Stop(&running);
  }

  // Rows a second of `start(batch, slot)`, kInFlight at a time for `seconds`.
  template <typename Start>
  absl::StatusOr<double> KeepGoing(double seconds, const Start& start) {
    struct Open {
      std::future<absl::Status> done;
      size_t rows = 0;
    };
    std::deque<Open> open;
    uint64_t rows = 0;
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::duration<double>(seconds);
    const auto finish_oldest = [&] {
      const absl::Status status = open.front().done.get();
      rows += open.front().rows;
      open.pop_front();
      return status;
    };
    for (uint64_t i = 0; Clock::now() < end; ++i) {
      if (open.size() == kInFlight) RETURN_IF_ERROR(finish_oldest());
      const std::vector<Key>& batch = batches_[next_batch_++ % batches_.size()];
      open.push_back({start(std::span<const Key>(batch), i % kInFlight), batch.size()});
    }
    while (!open.empty()) RETURN_IF_ERROR(finish_oldest());
    return RowsPerSecond(rows, begin);
  }

  absl::StatusOr<double> Pulls(const Running& running, double seconds) {
    std::vector<std::vector<float>> buffers(kInFlight, std::vector<float>(plan_.batch_floats()));
    return KeepGoing(seconds, [&](std::span<const Key> keys, size_t slot) {
      const auto rows = std::span(buffers[slot]).first(keys.size() * options_.dim);
      return running.client->Pull(Step(step_ + 1), {{running.table, keys, rows}});
    });
  }

  absl::StatusOr<double> Pushes(const Running& running, double seconds) {
    return KeepGoing(seconds, [&](std::span<const Key> keys, size_t) {
      const auto gradients = plan_.gradients().first(keys.size() * options_.dim);
      return running.client->Push(Step(++step_), {{running.table, keys, gradients}});
    });
  }

  absl::StatusOr<double> PlainReads(PlainRocks* plain, double seconds) {
    std::vector<float> rows(plan_.batch_floats());
    uint64_t count = 0;
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::duration<double>(seconds);
    while (Clock::now() < end) {
      const std::vector<Key>& batch = batches_[next_batch_++ % batches_.size()];
      RETURN_IF_ERROR(plain->Read(batch, options_.dim, rows.data()));
      count += batch.size();
    }
    return RowsPerSecond(count, begin);
  }

  absl::Status CheckEveryRow(const Running& running) {
    std::vector<float> rows(plan_.batch_floats());
    for (size_t batch = 0; batch < plan_.batch_count(); ++batch) {
      RETURN_IF_ERROR(
          running.client->Pull(Step(step_ + 1), {{running.table, plan_.keys(batch), rows}}).get());
      RETURN_IF_ERROR(model_->Check(batch, rows, kCheckStride));
    }
    return absl::OkStatus();
  }

  void Tell(const std::string& what) const {
    std::cerr << "\r" << what << "          " << std::flush;
  }

  void Print() const {
    std::cout << absl::StrFormat("%d rows of dim %d: %.0f MB of weights and state; Zipf(%.2f)\n",
                                 row_count(), options_.dim,
                                 static_cast<double>(table_bytes()) / 1e6, options_.exponent);
    std::cout << absl::StrFormat("%7s %10s %16s %16s %6s %16s %12s %12s\n", "budget", "budget, MB",
                                 "pulls, M rows/s", "MultiGet, same", "ratio", "pushes, M rows/s",
                                 "resident, MB", "after pushes");
    for (const BudgetResult& r : results_) {
      std::cout << absl::StrFormat("%7.2f %10.0f %16.2f %16.2f %6.1f %16.2f %12.0f %12.0f\n",
                                   r.budget, static_cast<double>(r.budget_bytes) / 1e6,
                                   Median(r.pulls) / 1e6, Median(r.plain) / 1e6,
                                   Median(r.pulls) / Median(r.plain), Median(r.pushes) / 1e6,
                                   static_cast<double>(r.resident_bytes) / 1e6,
                                   static_cast<double>(r.resident_after_pushes_bytes) / 1e6);
    }
    std::cout << "medians of the rounds; every row was checked\n";
  }

  boost::json::object ToJson() const {
    boost::json::array budgets;
    for (const BudgetResult& r : results_) {
      budgets.push_back({{"budget", r.budget},
                         {"budget_bytes", r.budget_bytes},
                         {"pull_rows_per_second", boost::json::value_from(r.pulls)},
                         {"plain_multiget_rows_per_second", boost::json::value_from(r.plain)},
                         {"push_rows_per_second", boost::json::value_from(r.pushes)},
                         {"ratio", Median(r.pulls) / Median(r.plain)},
                         {"resident_bytes", r.resident_bytes},
                         {"resident_after_pushes_bytes", r.resident_after_pushes_bytes}});
    }
    return {{"rows", row_count()},
            {"dim", options_.dim},
            {"table_bytes", table_bytes()},
            {"exponent", options_.exponent},
            {"budgets", std::move(budgets)}};
  }

  std::string PlainPath() const { return StrCat(temp_dir_.path(), "/plain"); }

  static constexpr size_t kCheckStride = 7;

  const TierOptions options_;
  const TempDir temp_dir_;
  const BatchPlan plan_;
  const std::vector<std::vector<Key>> batches_;
  const CpuSplit cpus_;
  TableSpec spec_;
  std::unique_ptr<RowModel> model_;
  uint64_t step_ = 0;
  size_t next_batch_ = 0;
  std::vector<BudgetResult> results_;
};

}  // namespace

int RunTierBench(int argc, char** argv) {
  TierOptions options;
  Settings settings = MakeSettings(&options);
  return RunBenchProgram(argc, argv, settings, TierProgram(), [&] {
    if (options.server.empty()) options.server = ProgramBeside("rowhouse-ps");
    return TierBench(options).Run();
  });
}

}  // namespace rowhouse

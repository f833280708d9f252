// The figures by which Rowhouse is judged, each as a ratio within one run.
#include <boost/json.hpp>
#include <iostream>

#include "common/config.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/bench_program.h"
#include "tests/bench/benches.h"
#include "tests/bench/headline/bursts.h"
#include "tests/bench/headline/figure.h"
#include "tests/bench/headline/stage.h"

namespace rowhouse {
namespace {

Settings MakeSettings(HeadlineOptions* options) {
  Settings settings;
  settings.Section("bench", "What to measure");
  settings.Integer("rounds", &options->rounds, {1, 1000}, "rounds", "Rounds of every kind");
  settings.Number("seconds", &options->seconds, {0.01, 3600}, "s", "Length of a round of pulls");
  settings.Number("burst_seconds", &options->burst_seconds, {0.01, 3600}, "s",
                  "Length of a round of pushes");
  settings.Integer("rows", &options->rows, {1, 1ull << 32}, "rows",
                   "Rows in each table, rounded down to whole batches");
  settings.Integer("dim", &options->dim, {1, kDimMax}, "floats", "Length of a row");
  settings.Integer("batch_rows", &options->batch_rows, {1, 1 << 20}, "rows", "Rows in a request");
  settings.Integer("in_flight", &options->in_flight, {1, 64}, "requests", "Open at a time");
  settings.Switch("pin", &options->pin,
                  "Give the servers the first half of the processors and the client the rest");
  settings.Switch("peers", &options->peers, "Measure Redis and PyTorch, too");
  settings.Text("server", &options->server, "FILE",
                "The rowhouse-ps to measure; by default the one beside this program");
  settings.Text("data_dir", &options->data_dir, "DIR",
                "Where the server's data goes meanwhile; by default a temporary directory");
  settings.Text("commit", &options->commit, "ID", "What the JSON says was measured");
  settings.Text("json", &options->json_file, "FILE", "Write the results as JSON too");
  return settings;
}

Program HeadlineProgram() {
  return {"rowhouse-bench headline",
          ROWHOUSE_VERSION,
          "Measures the headline's figures: Rowhouse beside what this machine can do, and beside "
          "its peers.",
          {},
          {"rowhouse-bench headline", "rowhouse-bench headline --rounds 3 --json headline.json"}};
}

absl::Status RunHeadline(HeadlineOptions options) {
  if (options.server.empty()) options.server = ProgramBeside("rowhouse-ps");
  options.torch_script = ROWHOUSE_TORCH_STEPS;
  const TempDir temp_dir;
  const CpuSplit cpus = SplitCpus(options.pin);
  const BatchPlan plan(options.rows, options.batch_rows, options.dim);
  ASSIGN_OR_RETURN(const auto sticks, Sticks::Start(&plan, cpus, temp_dir.path()));
  RunOnCpus(cpus.client);
  Headline headline;
  headline.machine = ReadMachineFacts();
  headline.commit = options.commit;
  RETURN_IF_ERROR(MeasureBursts(options, cpus, plan, *sticks, &headline));
  std::cerr << "\n";
  std::cout << ToText(headline);
  return WriteJson(options.json_file, ToJson(headline));
}

}  // namespace

int RunHeadlineBench(int argc, char** argv) {
  HeadlineOptions options;
  Settings settings = MakeSettings(&options);
  return RunBenchProgram(argc, argv, settings, HeadlineProgram(),
                         [&] { return RunHeadline(options); });
}

}  // namespace rowhouse

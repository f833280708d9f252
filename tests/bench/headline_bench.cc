// The figures by which Rowhouse is judged, each as a ratio within one run.
#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <iostream>

#include "common/config.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/bench_program.h"
#include "tests/bench/benches.h"
#include "tests/bench/headline/bursts.h"
#include "tests/bench/headline/connections.h"
#include "tests/bench/headline/figure.h"
#include "tests/bench/headline/fsync.h"
#include "tests/bench/headline/growth.h"
#include "tests/bench/headline/idle.h"
#include "tests/bench/headline/stage.h"
#include "tests/bench/headline/sustained.h"
#include "tests/bench/headline/table_size.h"
#include "tests/bench/headline/tail.h"

namespace rowhouse {
namespace {

Settings MakeSettings(HeadlineOptions* options) {
  Settings settings;
  settings.Section("bench", "What to measure");
  settings.Integer("rounds", &options->rounds, {1, 1000}, "rounds", "Rounds of every kind");
  settings.Number("seconds", &options->seconds, {0.01, 3600}, "s", "Length of a round of pulls");
  settings.Number("burst_seconds", &options->burst_seconds, {0.01, 3600}, "s",
                  "Length of a round of pushes");
  settings.Number("warm_seconds", &options->warm_seconds, {0.001, 3600}, "s",
                  "How long each contender works before its round, not measured");
  settings.Number("idle_seconds", &options->idle_seconds, {0.01, 3600}, "s",
                  "How long the idle server is watched");
  settings.Number("sustained_seconds", &options->sustained_seconds, {0.01, 3600}, "s",
                  "Length of the sustained pushes");
  settings.Number("append_seconds", &options->append_seconds, {0.01, 3600}, "s",
                  "Length of the plain appends before the sustained pushes, and after them");
  settings.Number("fsync_seconds", &options->fsync_seconds, {0.01, 3600}, "s",
                  "Length of the pushes with fsync, and of those with log beside them");
  settings.Number("tail_seconds", &options->tail_seconds, {0.01, 3600}, "s",
                  "Length of a round of small requests in an open loop");
  settings.Integer("connections", &options->connections, {2, 4096}, "connections",
                   "How many are compared with two");
  settings.Integer("scale_rows", &options->scale_rows, {1, 1ull << 32}, "rows",
                   "Rows of the table that is compared with one of --rows");
  settings.Integer("growth_rows", &options->growth_rows, {1, 1ull << 32}, "rows",
                   "What a table grows to while its longest request is looked for");
  settings.Number("growth_rest_seconds", &options->growth_rest_seconds, {0, 3600}, "s",
                  "Rest before it grows, until memory freed before is at rest too");
  settings.TextList("only", &options->only, "PART",
                    "Measure just these: bursts, or the names of other figures");
  AddBenchSettings(options, 1, &settings);
  return settings;
}

Program HeadlineProgram() {
  return {"rowhouse-bench headline",
          ROWHOUSE_VERSION,
          "Measures the headline's figures: Rowhouse beside what this machine can do, and beside "
          "its peers.",
          {},
          {"rowhouse-bench headline", "rowhouse-bench headline --rounds 5 --json headline.json"}};
}

// A figure, or a group of them, that is measured by itself.
struct Part {
  std::string name;
  std::function<absl::Status(Headline*)> measure;
};

bool IsWanted(const HeadlineOptions& options, const std::string& name) {
  return options.only.empty() ||
         std::find(options.only.begin(), options.only.end(), name) != options.only.end();
}

absl::Status CheckOnly(const HeadlineOptions& options, const std::vector<Part>& parts) {
  for (const std::string& name : options.only) {
    if (std::any_of(parts.begin(), parts.end(), [&](const Part& p) { return p.name == name; })) {
      continue;
    }
    std::string names;
    for (const Part& part : parts) names += " " + part.name;
    return absl::InvalidArgumentError(StrCat("--only: '", name, "' is no part; there are", names));
  }
  return absl::OkStatus();
}

// The bursts come first: their sticks are forked before this process has threads.
std::vector<Part> AllParts(const HeadlineOptions& options, const CpuSplit& cpus,
                           const BatchPlan& plan, const std::string& run_dir,
                           const MixedStick& tail_stick) {
  const auto bursts = [&options, &cpus, &plan, run_dir](Headline* headline) -> absl::Status {
    ASSIGN_OR_RETURN(const auto sticks, Sticks::Start(&plan, cpus, run_dir));
    RunOnCpus(cpus.client);
    return MeasureBursts(options, cpus, plan, *sticks, headline);
  };
  const auto part = [&](auto measure) {
    return [&options, &cpus, &plan, measure](Headline* headline) {
      RunOnCpus(cpus.client);
      return measure(options, cpus, plan, headline);
    };
  };
  const auto tail = [&tail_stick](const HeadlineOptions& told, const CpuSplit& split,
                                  const BatchPlan& batches, Headline* headline) {
    return MeasureTail(told, split, batches, tail_stick, headline);
  };
  return {{"bursts", bursts},
          {"idle_cpu", part(MeasureIdle)},
          {"push_log_sustained", part(MeasureSustained)},
          {"push_fsync_over_log", part(MeasureFsync)},
          {"p99_small_pull", part(tail)},
          {"clients_64_over_2", part(MeasureConnections)},
          // Before the largest tables: it rests for as long as memory of a smaller one takes.
          {"stall_growth_ms", part(MeasureGrowth)},
          {"rows_50m_over_2m", part(MeasureTableSize)}};
}

absl::Status RunHeadline(HeadlineOptions options) {
  if (options.server.empty()) options.server = ProgramBeside("rowhouse-ps");
  options.torch_script = ROWHOUSE_TORCH_STEPS;
  const TempDir temp_dir;
  const CpuSplit cpus = SplitCpus(options.pin);
  const BatchPlan plan(options.rows, options.batch_rows, options.dim);
  Headline headline;
  headline.machine = ReadMachineFacts(options.data_dir);
  headline.commit = options.commit;
  ASSIGN_OR_RETURN(const auto tail_stick, StartTailStick(options, cpus));
  const std::vector<Part> parts = AllParts(options, cpus, plan, temp_dir.path(), *tail_stick);
  RETURN_IF_ERROR(CheckOnly(options, parts));
  absl::Status failed;  // one part that fails takes no other with it
  for (const Part& part : parts) {
    if (!IsWanted(options, part.name)) continue;
    std::cerr << "\r" << part.name << "                                        " << std::flush;
    const absl::Status measured = part.measure(&headline);
    if (!measured.ok()) std::cerr << "\n" << part.name << ": " << measured.message() << "\n";
    failed.Update(measured);
  }
  std::cerr << "\n";
  std::cout << ToText(headline);
  RETURN_IF_ERROR(WriteJson(options.json_file, ToJson(headline)));
  return failed;
}

}  // namespace

int RunHeadlineBench(int argc, char** argv) {
  HeadlineOptions options;
  Settings settings = MakeSettings(&options);
  return RunBenchProgram(argc, argv, settings, HeadlineProgram(),
                         [&] { return RunHeadline(options); });
}

}  // namespace rowhouse

// The full benchmark: the headline's point, and what each setting does to it when it is varied
// alone.
#include <boost/json.hpp>
#include <iostream>

#include "absl/strings/str_format.h"
#include "common/config.h"
#include "common/status_macros.h"
#include "common/table_spec.h"
#include "tests/bench/bench_program.h"
#include "tests/bench/benches.h"
#include "tests/bench/machine.h"
#include "tests/bench/sweep/sweep_options.h"
#include "tests/bench/sweep/sweep_point.h"
#include "tests/bench/sweep/sweep_result.h"
#include "tests/bench/sweep/sweep_schedule.h"
#include "tests/bench/sweep/sweep_stage.h"

namespace rowhouse {
namespace {

Settings MakeSettings(SweepOptions* options) {
  Settings settings;
  settings.Section("bench", "What to measure");
  settings.Integer("rounds", &options->rounds, {1, 1000}, "rounds",
                   "Rounds of every point, where there is time for so many");
  settings.Number("seconds", &options->seconds, {0.01, 3600}, "s",
                  "Length of a round of one contender");
  settings.Number("minutes", &options->minutes, {0.01, 10000}, "min",
                  "For all of it: points have fewer rounds, but two, where it would take longer");
  settings.Integer("table_rows_max", &options->table_rows_max, {50, 1ull << 32}, "rows",
                   "Rows of the largest of three tables; the others have a fifth and a 50th");
  settings.TextList("only", &options->only, "POINT", "Measure just these points");
  AddBenchSettings(options, 512, &settings);
  return settings;
}

Program SweepProgram() {
  return {"rowhouse-bench sweep",
          ROWHOUSE_VERSION,
          "Measures pulls and pushes with one setting varied at a time, beside what this machine "
          "can do.",
          {},
          {"rowhouse-bench sweep --json sweep.json",
           "rowhouse-bench sweep --only headline,dim_8 --rounds 3"}};
}

absl::Status RunSweep(SweepOptions options) {
  if (options.server.empty()) options.server = ProgramBeside("rowhouse-ps");
  options.torch_script = ROWHOUSE_TORCH_STEPS;
  const CpuSplit cpus = SplitCpus(options.pin);
  const std::vector<SweepStage> stages = SweepStages(options);
  SweepSchedule schedule(options, stages);
  RETURN_IF_ERROR(schedule.Check());
  std::cerr << absl::StrFormat("this takes about %.0f minutes\n",
                               schedule.estimated_seconds() / 60 + 0.5);
  SweepResult result;
  result.machine = ReadMachineFacts(options.data_dir);
  result.commit = options.commit;
  for (const SweepStage& stage : stages) {
    if (!schedule.IsWanted(stage)) continue;
    RETURN_IF_ERROR(MeasureSweepStage(options, cpus, stage, &schedule, &result));
  }
  schedule.Finish();
  result.seconds = schedule.seconds();
  std::cout << ToText(result);
  return WriteJson(options.json_file, ToJson(result));
}

}  // namespace

int RunSweepBench(int argc, char** argv) {
  SweepOptions options;
  Settings settings = MakeSettings(&options);
  return RunBenchProgram(argc, argv, settings, SweepProgram(), [&] { return RunSweep(options); });
}

}  // namespace rowhouse

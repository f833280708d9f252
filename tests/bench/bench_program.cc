#include "tests/bench/bench_program.h"

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "common/table_spec.h"
#include "common/text.h"
#include "tests/bench/machine.h"

namespace rowhouse {

CpuSplit SplitCpus(bool pin) {
  const std::vector<int> cpus = AllowedCpus();
  if (!pin || cpus.size() < 2) return {};
  const auto middle = cpus.begin() + static_cast<std::ptrdiff_t>(cpus.size() / 2);
  return {{cpus.begin(), middle}, {middle, cpus.end()}};
}

Settings TableBenchSettings(TableBenchOptions* options) {
  Settings settings;
  settings.Section("bench", "What to measure");
  settings.Integer("rounds", &options->rounds, {1, 1000}, "rounds", "Rounds of every kind");
  settings.Number("seconds", &options->seconds, {0.01, 3600}, "s",
                  "Length of a round, where nothing else ends it");
  settings.Integer("rows", &options->rows, {1, 1ull << 32}, "rows", "Rows of the table");
  settings.Integer("dim", &options->dim, {1, kDimMax}, "floats", "Length of a row");
  settings.Integer("batch_rows", &options->batch_rows, {1, 1 << 20}, "rows",
                   "Keys named or drawn for a request");
  settings.Switch("pin", &options->pin,
                  "Give the server the first half of the processors and the client the rest");
  settings.Text("server", &options->server, "FILE",
                "The rowhouse-ps to measure; by default the one beside this program");
  settings.Text("json", &options->json_file, "FILE", "Write the results as JSON too");
  return settings;
}

std::string ProgramBeside(const std::string& name) {
  std::error_code ignored;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return (self.parent_path() / name).string();
}

absl::Status WriteJson(const std::string& file, const boost::json::object& json) {
  if (file.empty()) return absl::OkStatus();
  std::ofstream out(file);
  out << boost::json::serialize(json) << "\n";
  if (out.flush()) return absl::OkStatus();
  return absl::UnavailableError(StrCat("cannot write '", file, "': see --json"));
}

int RunBenchProgram(int argc, char** argv, Settings& settings, const Program& program,
                    const std::function<absl::Status()>& run) {
  const auto parsed = settings.ParseCommandLine(argc, argv, program);
  if (!parsed.ok()) {
    std::cerr << program.name << ": " << parsed.status().message() << "\n";
    return 2;
  }
  if (parsed->answer.has_value()) {
    std::cout << *parsed->answer;
    return 0;
  }
  const absl::Status status = run();
  if (status.ok()) return 0;
  std::cerr << program.name << ": " << status.message() << "\n";
  return 1;
}

}  // namespace rowhouse

#include "tests/bench/bench_program.h"

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "common/text.h"
#include "tests/bench/machine.h"

namespace rowhouse {

CpuSplit SplitCpus(bool pin) {
  const std::vector<int> cpus = AllowedCpus();
  if (!pin || cpus.size() < 2) return {};
  const auto middle = cpus.begin() + static_cast<std::ptrdiff_t>(cpus.size() / 2);
  return {{cpus.begin(), middle}, {middle, cpus.end()}};
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

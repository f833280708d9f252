// What all benches have in common: their command line, their processors, their JSON file.
//
// Threading: one thread.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/config.h"

namespace rowhouse {

struct CpuSplit {
  std::vector<int> servers;
  std::vector<int> client;
};

// Half of the processors for the servers, the rest for the client: two processes on one core cut
// loopback TCP to a third, so nobody is left to the scheduler's mood. Empty lists where `pin` is
// false or there is just one.
CpuSplit SplitCpus(bool pin);

// Of a bench that measures a server with one table.
struct TableBenchOptions {
  uint32_t rounds = 3;
  double seconds = 10;
  uint64_t rows = 1000000;
  uint32_t dim = 64;
  uint32_t batch_rows = 4096;
  bool pin = true;
  std::string server;
  std::string json_file;
};
Settings TableBenchSettings(TableBenchOptions* options);

// A program in the folder of this one.
std::string ProgramBeside(const std::string& name);

// Nothing where `file` is empty.
absl::Status WriteJson(const std::string& file, const boost::json::object& json);

// Parses the command line into the settings' targets, then runs; the exit code.
int RunBenchProgram(int argc, char** argv, Settings& settings, const Program& program,
                    const std::function<absl::Status()>& run);

}  // namespace rowhouse

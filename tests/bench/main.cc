// rowhouse-bench: measures real servers over real sockets.
//
//   rowhouse-bench [sweep|headline|tier|checkpoint|recovery] [flags; --help tells them]
//
// Exit codes: 0 measured and every answer right; 1 not, with the reason on stderr; 2 bad flags.
#include <glog/logging.h>

#include <iostream>
#include <string_view>

#include "tests/bench/benches.h"

namespace rowhouse {
namespace {

struct Bench {
  std::string_view name;
  int (*run)(int argc, char** argv);
};
constexpr Bench kBenches[] = {{"sweep", RunSweepBench},
                              {"headline", RunHeadlineBench},
                              {"tier", RunTierBench},
                              {"checkpoint", RunCheckpointBench},
                              {"recovery", RunRecoveryBench}};

int Main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  if (name.empty() || name.starts_with("-")) return RunSweepBench(argc, argv);
  for (const Bench& bench : kBenches) {
    if (bench.name == name) return bench.run(argc - 1, argv + 1);
  }
  std::cerr << "rowhouse-bench: '" << name << "' is no bench; there are";
  for (const Bench& bench : kBenches) std::cerr << " " << bench.name;
  std::cerr << "\n";
  return 2;
}

}  // namespace
}  // namespace rowhouse

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  return rowhouse::Main(argc, argv);
}

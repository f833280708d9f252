// rowhouse-bench: measures Rowhouse, one kind of work a subcommand.
#include <glog/logging.h>

#include <array>
#include <string_view>

#include "tests/bench/benches.h"

namespace {

struct Bench {
  std::string_view name;
  int (*run)(int argc, const char* const* argv);
};

// The first one runs where none is named.
constexpr std::array kBenches = {
    Bench{"rpc", rowhouse::RunRpcBench},
    Bench{"recovery", rowhouse::RunRecoveryBench},
};

}  // namespace

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  for (const Bench& bench : kBenches) {
    if (argc > 1 && bench.name == argv[1]) return bench.run(argc, argv);
  }
  return kBenches.front().run(argc, argv);
}

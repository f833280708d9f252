// rowhouse-simulate: runs seeds of the simulation.
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdint>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "tests/simulation/simulation.h"

namespace rowhouse {
namespace {

struct Options {
  uint64_t first_seed = 1;
  uint64_t seeds = 1000;
  uint32_t jobs = 1;
  std::string commit = "unknown";
  bool trace = false;
  bool json = false;
};

class Runner {
 public:
  explicit Runner(const Options& options) : options_(options), next_(options.first_seed) {}

  // 0: every run kept every promise.
  int Run() {
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < options_.jobs; ++i) threads.emplace_back([this] { TakeSeeds(); });
    for (std::thread& thread : threads) thread.join();
    Report();
    return failures_ == 0 ? 0 : 1;
  }

 private:
  void TakeSeeds() {
    const uint64_t end = options_.first_seed + options_.seeds;
    for (uint64_t seed = next_++; seed < end; seed = next_++) {
      RunOptions run{.seed = seed};
      if (options_.trace) run.trace_lines_max = 1'000'000;
      Take(seed, Simulate(run));
    }
  }

  void Take(uint64_t seed, const RunResult& result) {
    const std::lock_guard lock(mutex_);
    ++done_;
    digest_ ^= result.digest * (2 * seed + 1);  // the same in any order of the seeds
    for (const auto& [what, n] : result.counts) counts_[what] += n;
    if (!result.verdict.ok()) ReportFailure(seed, result);
    if (options_.trace) Print(result.trace);
    if (!options_.json && done_ % 1000 == 0) {
      std::cerr << done_ << " of " << options_.seeds << " seeds, " << failures_ << " failed\n";
    }
  }

  void ReportFailure(uint64_t seed, const RunResult& result) {
    ++failures_;
    std::cerr << "FAILED seed " << seed << ", commit " << options_.commit << "\n  "
              << std::string(result.verdict.message()) << "\n";
    if (!options_.trace) Print(result.trace);
  }

  static void Print(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) std::cerr << "  " << line << "\n";
  }

  void Report() const {
    const std::string digest = absl::StrFormat("%016x", digest_);
    if (!options_.json) {
      for (const auto& [what, n] : counts_) std::cout << absl::StrFormat("%12d  %s\n", n, what);
      std::cout << done_ << " seeds from " << options_.first_seed << ", commit " << options_.commit
                << ": " << failures_ << " failed, digest " << digest << "\n";
      return;
    }
    std::cout << "{\"first_seed\": " << options_.first_seed << ", \"seeds\": " << done_
              << ", \"failed\": " << failures_ << ", \"commit\": \"" << options_.commit
              << "\", \"digest\": \"" << digest << "\", \"counts\": {";
    const char* comma = "";
    for (const auto& [what, n] : counts_) {
      std::cout << comma << "\"" << what << "\": " << n;
      comma = ", ";
    }
    std::cout << "}}\n";
  }

  const Options options_;
  std::atomic<uint64_t> next_;
  std::mutex mutex_;  // guards what follows
  uint64_t done_ = 0;
  uint64_t failures_ = 0;
  uint64_t digest_ = 0;
  std::map<std::string, uint64_t> counts_;
};

int Main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Runs seeds of the simulation: shards and clients under every fault, with a virtual "
      "clock.\nExit code 0: every promise was kept; 1: one was not, see the seed.");
  app.add_option("--first-seed", options.first_seed, "the first seed")->capture_default_str();
  app.add_option("--seeds", options.seeds, "how many")->capture_default_str();
  app.add_option("--jobs", options.jobs, "threads, each with runs of its own")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--commit", options.commit, "for the report: git describe --always --dirty");
  app.add_flag("--trace", options.trace, "print every event");
  app.add_flag("--json", options.json, "print the summary as JSON");
  app.footer("Example: rowhouse-simulate --seeds 20000 --jobs 2 --commit $(git rev-parse HEAD)");
  CLI11_PARSE(app, argc, argv);
  return Runner(options).Run();
}

}  // namespace
}  // namespace rowhouse

int main(int argc, char** argv) { return rowhouse::Main(argc, argv); }

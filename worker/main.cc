// rowhouse-worker: trains a model against Rowhouse servers and uses it.
#include <glog/logging.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <string_view>

#include "common/config.h"
#include "worker/commands/commands.h"
#include "worker/worker_options.h"

namespace {

constexpr int kExitFailed = 1;
constexpr int kExitBadFlags = 2;

// How long training may take to end in order after a signal.
constexpr unsigned kStopSeconds = 5;

std::atomic<int> stop_signal = 0;
static_assert(std::atomic<int>::is_always_lock_free);

// Nothing is lost by it: what was acknowledged is on the servers, and the rest is sent again by
// whoever starts the worker anew.
void ExitOnSignal(int number) {
  constexpr std::string_view kMessage = "rowhouse-worker: stopped by a signal\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kMessage.data(), kMessage.size());
  _exit(128 + (number == SIGALRM ? stop_signal.load() : number));
}

// Training ends its step and tells the shards that it leaves, so that no checkpoint waits for it.
// A second signal, or a server that does not answer, ends it at once.
void StopOnSignal(int number) {
  stop_signal = number;
  signal(SIGINT, ExitOnSignal);
  signal(SIGTERM, ExitOnSignal);
  signal(SIGALRM, ExitOnSignal);
  alarm(kStopSeconds);
}

int Fail(const absl::Status& status, int exit_code) {
  std::fprintf(stderr, "rowhouse-worker: %s\n", std::string(status.message()).c_str());
  return exit_code;
}

absl::Status RunCommand(std::string_view command, const rowhouse::WorkerOptions& options) {
  if (command == "evaluate") return rowhouse::RunEvaluate(options);
  if (command == "nearest") return rowhouse::RunNearest(options);
  if (command == "generate") return rowhouse::RunGenerate(options);
  if (command == "stats") return rowhouse::RunStats(options);
  return rowhouse::RunTrain(options);
}

}  // namespace

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  signal(SIGINT, ExitOnSignal);
  signal(SIGTERM, ExitOnSignal);
  rowhouse::WorkerOptions options;
  rowhouse::Settings settings;
  rowhouse::BindWorkerSettings(options, settings);
  const auto program = rowhouse::WorkerProgram(ROWHOUSE_VERSION);
  const auto parsed = settings.ParseCommandLine(argc, argv, program);
  if (!parsed.ok()) return Fail(parsed.status(), kExitBadFlags);
  if (parsed->answer) {
    std::fputs(parsed->answer->c_str(), stdout);
    return 0;
  }
  const absl::Status checked = rowhouse::FinishWorkerOptions(parsed->command, options);
  if (!checked.ok()) return Fail(checked, kExitBadFlags);
  if (parsed->command == "train") {
    options.trainer.cancelled = [] { return stop_signal != 0; };
    signal(SIGINT, StopOnSignal);
    signal(SIGTERM, StopOnSignal);
  }
  const absl::Status done = RunCommand(parsed->command, options);
  if (done.ok()) return 0;
  return Fail(done, stop_signal != 0 ? 128 + stop_signal : kExitFailed);
}

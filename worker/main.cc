// rowhouse-worker: trains a model against Rowhouse servers and uses it.
#include <glog/logging.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "common/config.h"
#include "worker/commands/commands.h"
#include "worker/worker_options.h"

namespace {

constexpr int kExitFailed = 1;
constexpr int kExitBadFlags = 2;

// Nothing in a worker needs an orderly end: what was acknowledged is on the servers, and the rest
// is sent again by whoever starts it anew.
void ExitOnSignal(int signal) {
  constexpr std::string_view kMessage = "rowhouse-worker: stopped by a signal\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kMessage.data(), kMessage.size());
  _exit(128 + signal);
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
  const absl::Status done = RunCommand(parsed->command, options);
  return done.ok() ? 0 : Fail(done, kExitFailed);
}

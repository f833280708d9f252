// rowhousectl: makes, lists, verifies, restores and prunes checkpoints of a cluster.
//
// Exit codes: 0 done; 1 failed, or something is damaged, with the reason on stderr; 2 bad usage. Of
// `verify`: 0 all is whole; 1 something is damaged; 2 it could not be judged.
#include <glog/logging.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>

#include "worker/ctl/ctl_commands.h"
#include "worker/ctl/ctl_options.h"

namespace {

// The first signal ends the work in order, so that no shard is left with half a checkpoint; a
// second one ends the program. REQUIRES: called before any other thread is begun, so that none but
// the one that waits for signals gets them.
//
// Before `connected` there is nothing to take back, and the first one ends the program, too.
void CancelOnSignal(std::shared_ptr<rowhouse::Cancellation> cancellation,
                    std::shared_ptr<std::atomic<bool>> connected) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals, cancellation = std::move(cancellation), connected = std::move(connected)] {
    int signal_number = 0;
    sigwait(&signals, &signal_number);
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    if (!*connected) raise(signal_number);
    cancellation->Cancel();
    while (true) pause();
  }).detach();
}

int Fail(const absl::Status& status, int exit_code) {
  std::fprintf(stderr, "rowhousectl: %s\n", std::string(status.message()).c_str());
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = google::GLOG_WARNING;
  signal(SIGPIPE, SIG_IGN);
  const auto parsed = rowhouse::ParseCtlCommandLine(argc, argv, ROWHOUSE_VERSION);
  if (!parsed.ok()) return Fail(parsed.status(), rowhouse::kExitBadUsage);
  if (parsed->answer.has_value()) {
    std::fputs(parsed->answer->c_str(), stdout);
    return rowhouse::kExitDone;
  }
  const rowhouse::CtlOptions& options = parsed->options;
  const auto connected = std::make_shared<std::atomic<bool>>(false);
  if (options.command == rowhouse::CtlCommand::kCreate) {
    CancelOnSignal(options.checkpoint.cancellation, connected);
  }
  const auto code = rowhouse::RunCtl(options, [connected] { *connected = true; });
  if (code.ok()) return *code;
  // Where the server's program cannot even be run, nothing was found to be damaged.
  const bool judges = options.command == rowhouse::CtlCommand::kVerifyData;
  return Fail(code.status(), judges ? rowhouse::kExitNotJudged : rowhouse::kExitFailed);
}

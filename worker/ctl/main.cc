// rowhousectl: makes, lists, verifies, restores and prunes checkpoints of a cluster.
//
// Exit codes: 0 done; 1 failed, or something is damaged, with the reason on stderr; 2 bad usage.
#include <glog/logging.h>
#include <signal.h>

#include <atomic>
#include <cstdio>

#include "worker/ctl/ctl_commands.h"
#include "worker/ctl/ctl_options.h"

namespace {

std::atomic<bool> cancelled = false;
static_assert(std::atomic<bool>::is_always_lock_free);

// The first signal ends the work in order, so that no shard is left with half a checkpoint.
void Cancel(int signal_number) {
  cancelled = true;
  signal(signal_number, SIG_DFL);
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
  if (parsed->options.command == rowhouse::CtlCommand::kCreate) {
    signal(SIGINT, Cancel);
    signal(SIGTERM, Cancel);
  }
  const auto code = rowhouse::RunCtl(parsed->options, [] { return cancelled.load(); });
  return code.ok() ? *code : Fail(code.status(), rowhouse::kExitFailed);
}

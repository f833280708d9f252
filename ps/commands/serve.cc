#include <glog/logging.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <fstream>
#include <iostream>

#include "absl/strings/str_join.h"
#include "common/text.h"
#include "ps/commands/commands.h"
#include "ps/net/server.h"
#include "ps/settings.h"

namespace rowhouse {
namespace {

// Blocked before any thread starts, so that only sigwait takes them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Connections, log segments and RocksDB's files share the process's descriptors: with a usual limit
// of 1024, connections alone could leave none to write the log with.
void RaiseDescriptorLimit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Renamed into place, so that whoever waits for the file never reads half of it.
absl::Status WriteReadyFile(const std::string& path, const Server& server) {
  boost::json::array listen;
  for (const std::string& endpoint : server.endpoints()) listen.emplace_back(endpoint);
  boost::json::array shards;
  for (const ShardId shard : server.shards()) shards.emplace_back(shard.value());
  const boost::json::object ready = {{"pid", ::getpid()}, {"listen", listen}, {"shards", shards}};
  const std::string temporary = path + ".tmp";
  std::ofstream(temporary) << boost::json::serialize(ready) << "\n";
  if (std::rename(temporary.c_str(), path.c_str()) == 0) return absl::OkStatus();
  return absl::UnavailableError(StrCat("cannot write --ready-file '", path, "'"));
}

int Serve(const ProgramOptions& options) {
  const sigset_t signals = BlockStopSignals();
  RaiseDescriptorLimit();
  const auto server = Server::Start(options.server);
  if (!server.ok()) return FailCommand(server.status(), kExitFailed);
  LOG(INFO) << "serving on " << absl::StrJoin((*server)->endpoints(), ", ");
  if (const std::string local = (*server)->local_socket(); !local.empty()) {
    LOG(INFO) << "workers of this host and user find " << local << " by themselves";
  }
  if (!options.ready_file.empty()) {
    const absl::Status written = WriteReadyFile(options.ready_file, **server);
    if (!written.ok()) return FailCommand(written, kExitFailed);
  }
  int signal_number = 0;
  sigwait(&signals, &signal_number);
  LOG(INFO) << "stopping on signal " << signal_number << ": finishing and flushing";
  const absl::Status stopped = (*server)->Stop();
  if (!stopped.ok()) return FailCommand(stopped, kExitFailed);
  LOG(INFO) << "stopped";
  return kExitDone;
}

}  // namespace

int FailCommand(const absl::Status& status, int exit_code) {
  std::cerr << "rowhouse-ps: " << status.message() << "\n";
  return exit_code;
}

int RunServe(int argc, const char* const* argv) {
  ProgramOptions options;
  Settings settings = MakeServerSettings(&options);
  const auto parsed = settings.ParseCommandLine(argc, argv, ServerProgram());
  if (!parsed.ok()) return FailCommand(parsed.status(), kExitBadUsage);
  if (parsed->answer.has_value()) {
    std::cout << *parsed->answer;
    return kExitDone;
  }
  const absl::Status applied = ApplyClusterFile(settings, &options);
  if (!applied.ok()) return FailCommand(applied, kExitBadUsage);
  const absl::Status budget = CheckMemoryBudget(options.server);
  if (!budget.ok()) return FailCommand(budget, kExitBadUsage);
  return Serve(options);
}

}  // namespace rowhouse

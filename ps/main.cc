// rowhouse-ps: serves shards of embedding tables until SIGTERM or SIGINT.
//
// Exit codes: 0 stopped in order; 1 cannot start, or cannot write everything when stopped, with the
// reason on stderr; 2 bad flags or config.
#include <glog/logging.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <fstream>
#include <iostream>

#include "absl/strings/str_join.h"
#include "common/text.h"
#include "ps/net/server.h"
#include "ps/settings.h"

namespace rowhouse {
namespace {

int Fail(const absl::Status& status, int exit_code) {
  std::cerr << "rowhouse-ps: " << status.message() << "\n";
  return exit_code;
}

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
  if (!server.ok()) return Fail(server.status(), 1);
  LOG(INFO) << "serving on " << absl::StrJoin((*server)->endpoints(), ", ");
  if (!options.ready_file.empty()) {
    const absl::Status written = WriteReadyFile(options.ready_file, **server);
    if (!written.ok()) return Fail(written, 1);
  }
  int signal_number = 0;
  sigwait(&signals, &signal_number);
  LOG(INFO) << "stopping on signal " << signal_number << ": finishing and flushing";
  const absl::Status stopped = (*server)->Stop();
  if (!stopped.ok()) return Fail(stopped, 1);
  LOG(INFO) << "stopped";
  return 0;
}

int Main(int argc, char** argv) {
  ProgramOptions options;
  Settings settings = MakeServerSettings(&options);
  const auto parsed = settings.ParseCommandLine(argc, argv, ServerProgram());
  if (!parsed.ok()) return Fail(parsed.status(), 2);
  if (parsed->answer.has_value()) {
    std::cout << *parsed->answer;
    return 0;
  }
  const absl::Status applied = ApplyClusterFile(settings, &options);
  if (!applied.ok()) return Fail(applied, 2);
  return Serve(options);
}

}  // namespace
}  // namespace rowhouse

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  return rowhouse::Main(argc, argv);
}

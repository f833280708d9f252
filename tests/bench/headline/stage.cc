#include "tests/bench/headline/stage.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/bare_work.h"

namespace rowhouse {
namespace {

// An idle server is one that used no processor time between two looks.
constexpr auto kIdleLook = std::chrono::milliseconds(50);
constexpr int kIdleLooks = 3;
// So that what a round has pushed is flushed when the server has come to rest, not in a later
// round.
constexpr char kFlushLullMs[] = "50";
constexpr auto kDrainMax = std::chrono::minutes(2);

}  // namespace

absl::StatusOr<std::unique_ptr<Sticks>> Sticks::Start(const BatchPlan* plan, const CpuSplit& cpus,
                                                      const std::string& run_dir) {
  ASSIGN_OR_RETURN(const RawListener tcp, ListenRaw());
  ASSIGN_OR_RETURN(const RawListener local, ListenRaw(StrCat(run_dir, "/sticks.sock")));
  ASSIGN_OR_RETURN(const PlainListener asio, ListenPlain());
  const auto serve = [plan](const RawListener& listener) { ServeRaw(listener, BareWorks(plan)); };
  ASSIGN_OR_RETURN(ChildProcess tcp_process, ChildProcess::Call([&] { serve(tcp); }, cpus.servers));
  ASSIGN_OR_RETURN(ChildProcess unix_process,
                   ChildProcess::Call([&] { serve(local); }, cpus.servers));
  ASSIGN_OR_RETURN(ChildProcess asio_process,
                   ChildProcess::Call([&] { ServePlain(asio.fd); }, cpus.servers));
  std::unique_ptr<Sticks> sticks(
      new Sticks(std::move(tcp_process), std::move(unix_process), std::move(asio_process)));
  sticks->tcp_ = tcp.endpoint;
  sticks->unix_path_ = local.endpoint;
  sticks->asio_port_ = asio.port;
  ::close(asio.fd);
  return sticks;
}

RowhouseServer::RowhouseServer(const HeadlineOptions& options) {
  if (!options.data_dir.empty()) std::filesystem::create_directories(options.data_dir);
  dir_ = std::make_unique<TempDir>();
  data_dir_ = options.data_dir.empty() ? StrCat(dir_->path(), "/data") : options.data_dir;
  unix_endpoint_ = StrCat("unix:", dir_->path(), "/server.sock");
}

absl::StatusOr<std::unique_ptr<RowhouseServer>> RowhouseServer::Start(
    const HeadlineOptions& options, const CpuSplit& cpus, std::vector<std::string> more) {
  std::unique_ptr<RowhouseServer> server(new RowhouseServer(options));
  more.insert(more.begin(), {"--listen", server->unix_endpoint_, "--flush-lull-ms", kFlushLullMs});
  ASSIGN_OR_RETURN(ServerProcess process,
                   StartServer({options.server, server->data_dir_, options.shards, std::move(more)},
                               server->dir_->path(), cpus.servers));
  server->server_.emplace(std::move(process));
  // A processor for the shard, as for the bare server's thread; what it does in the background runs
  // where there is time.
  std::vector<int> all = cpus.servers;
  all.insert(all.end(), cpus.client.begin(), cpus.client.end());
  server->process().FreeThreads("shard-", all);
  return server;
}

absl::StatusOr<std::unique_ptr<Client>> RowhouseServer::Connect(const std::string& endpoint) {
  ClientOptions options;
  options.servers = {endpoint};
  options.program = "rowhouse-bench";
  options.prefer_local = false;  // what is to be measured over TCP stays there
  return Client::Connect(options);
}

absl::Status RowhouseServer::Drain() const {
  const auto give_up = std::chrono::steady_clock::now() + kDrainMax;
  double before = -1;
  for (int idle = 0; idle < kIdleLooks;) {
    const double now = process().cpu_seconds();
    idle = now == before ? idle + 1 : 0;
    before = now;
    if (std::chrono::steady_clock::now() > give_up) {
      return absl::DeadlineExceededError("bench: the server does not come to rest");
    }
    std::this_thread::sleep_for(kIdleLook);
  }
  ::sync();
  return absl::OkStatus();
}

absl::Status RowhouseServer::Stop() {
  const absl::Status stopped = server_->process.Stop();
  server_.reset();
  RemoveData();
  return stopped;
}

void RowhouseServer::Kill() {
  server_.reset();
  RemoveData();
}

void RowhouseServer::RemoveData() const {
  std::error_code ignored;
  std::filesystem::remove_all(data_dir_, ignored);
}

absl::StatusOr<uint64_t> CounterOf(Client* client, const std::string& name) {
  ASSIGN_OR_RETURN(const std::vector<StatsAnswer> shards, client->Stats());
  uint64_t sum = 0;
  for (const StatsAnswer& shard : shards) {
    for (const Counter& counter : shard.counters) {
      if (counter.name == name) sum += counter.value;
    }
  }
  return sum;
}

}  // namespace rowhouse

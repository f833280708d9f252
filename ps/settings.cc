#include "ps/settings.h"

#include "common/cluster_file.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace rowhouse {
namespace {

constexpr uint64_t kMiB = 1ull << 20;

void AddPlace(ProgramOptions* options, Settings* settings) {
  ServerOptions& server = options->server;
  settings->Section("server", "Server");
  settings->TextList("listen", &server.listen, "HOST:PORT",
                     "Where to listen: host:port (port 0: any free one) or unix:/path; nothing "
                     "beyond loopback unless you name it");
  settings->Switch("local_socket", &server.local_socket,
                   "Beside TCP, listen on a socket in the data directory that workers of this host "
                   "and user find by themselves");
  settings->Text("data_dir", &server.data_dir, "DIR", "Where rows and push log lie");
  settings->Integer("shards", &server.shards, {1, kShardCountMax}, "shards",
                    "Shards hosted by this server, each with a thread of its own");
  settings->Integer("server_index", &server.server_index, {0, kShardCountMax - 1}, "",
                    "Which of the cluster's servers this is, from 0");
  settings->Integer("server_count", &server.server_count, {1, kShardCountMax}, "servers",
                    "Servers in the cluster, all with the same number of shards");
  settings->Text("cluster", &options->cluster_file, "FILE",
                 "Cluster file (TOML) that says listen, shards and server_count; give "
                 "--server-index with it");
  settings->Text("cluster_name", &server.cluster_name, "NAME",
                 "Servers that do not share it are never taken for one cluster");
  settings->Text("ready_file", &options->ready_file, "FILE",
                 "Written (JSON: pid, listen, shards) as soon as the server serves");
}

void AddLimits(ServerOptions* server, Settings* settings) {
  ShardLimits& limits = server->limits;
  settings->Section("limits", "Limits");
  settings->Integer("frame_bytes_max", &limits.frame_bytes_max, {64 << 10, 1ull << 30}, "bytes",
                    "Largest request or answer");
  settings->Integer("keys_per_request_max", &limits.keys_per_request_max, {1, 1ull << 26}, "keys",
                    "Most keys in one pull or push");
  settings->Integer("connections_max", &server->connections_max, {1, 65536}, "connections",
                    "Most connections at a time");
  settings->Integer("connection_bytes_max", &server->connection_bytes_max, {64 << 10, 16ull << 30},
                    "bytes",
                    "Requests and answers in flight on one connection before it is read no more");
  settings->Integer("tables_max", &limits.tables_max, {1, 1 << 20}, "tables", "Most tables");
  settings->Integer("clients_max", &limits.clients_max, {1, 1 << 24}, "clients",
                    "Most clients whose pushes are remembered");
  settings->Integer("client_retention_ms", &limits.client_retention_ms,
                    {1000, 3650ull * 86400 * 1000}, "ms",
                    "How long a silent client is remembered when clients_max is reached");
  settings->Integer("dedup_entries_max", &limits.dedup_entries_max, {1, 1 << 20}, "pushes",
                    "Most pushes of one client that it may still retry");
  settings->Integer("checkpoint_timeout_ms", &limits.checkpoint_timeout_ms, {100, 86400ull * 1000},
                    "ms", "A checkpoint that nobody has asked for this long is abandoned");
  settings->Integer("hello_timeout_ms", &server->hello_timeout_ms, {10, 600000}, "ms",
                    "How long a new connection may take to say hello");
  settings->Integer("write_timeout_ms", &server->write_timeout_ms, {10, 3600000}, "ms",
                    "How long a peer may take nothing before it is cut off");
}

void AddStorage(ServerOptions* server, Settings* settings) {
  ShardLimits& limits = server->limits;
  settings->Section("storage", "Storage");
  settings->Integer("segment_bytes", &server->log.segment_bytes, {kMiB, 16384 * kMiB}, "bytes",
                    "A push log segment is closed when it has grown beyond this");
  settings->Switch("archive", &server->log.archive,
                   "Keep push log segments that recovery no longer needs");
  settings->Switch("log_direct", &server->log_direct,
                   "Large writes of the push log go past the system's page cache");
  settings->Integer("log_buffer_bytes_max", &limits.log_buffer_bytes_max, {kMiB, 65536 * kMiB},
                    "bytes", "Records waiting to be written before requests wait too");
  settings->Integer("log_delay_ms", &limits.log_delay_ms, {0, 500}, "ms",
                    "How long small pushes of durability memory may gather before they are written "
                    "to the push log; 0: not at all");
  settings->Integer("flush_log_bytes", &limits.flush_log_bytes, {kMiB, (1ull << 20) * kMiB},
                    "bytes", "Least push log written between two flushes of changed rows");
  settings->Integer("flush_log_ratio", &limits.flush_log_ratio, {0, 1000}, "times",
                    "A flush waits until the push log since the last one is this many times as "
                    "large as the changed rows, where there is no memory budget");
  settings->Integer("flush_log_bytes_max", &limits.flush_log_bytes_max, {kMiB, (1ull << 20) * kMiB},
                    "bytes", "Most push log written before a flush, whatever the ratio");
  settings->Integer("flush_lull_ms", &limits.flush_lull_ms, {0, 24 * 3600 * 1000}, "ms",
                    "With nothing logged for so long, a flush waits for --flush-log-bytes only; "
                    "0: whatever the lull");
  settings->Integer("flush_step_rows", &limits.flush_step_rows, {1, 1 << 20}, "rows",
                    "Rows looked at between two requests during a flush");
  settings->Integer("flush_file_rows", &limits.flush_file_rows, {1, 1 << 24}, "rows",
                    "Rows in one file of a flush");
  settings->Integer("memory_bytes_max", &server->memory_bytes_max, {0, 1ull << 50}, "bytes",
                    "Memory for rows and what finds them, over all shards; rows beyond it stay on "
                    "disk until they are asked for; at least 2 MiB for each shard; 0: no limit");
  settings->Integer("read_jobs_max", &limits.read_jobs_max, {1, 1024}, "reads",
                    "Reads of missing rows under way at a time in one shard");
  settings->Integer("read_job_keys", &limits.read_job_keys, {1, 65536}, "rows",
                    "Missing rows in one read");
  settings->Integer("read_threads", &server->read_threads, {1, 256}, "threads",
                    "Threads that read missing rows, shared by all shards");
  settings->Integer("evict_step_rows", &limits.evict_step_rows, {64, 1 << 20}, "rows",
                    "Rows looked at between two requests when memory is over its budget");
  settings->Integer("retry_ms", &server->retry_ms, {1, 600000}, "ms",
                    "Between attempts at disk work that failed");
  settings->Integer("stop_timeout_ms", &server->stop_timeout_ms, {1, 3600000}, "ms",
                    "A stop that the disk does not let end gives up after this");
  settings->Integer(
      "io_threads", &server->io_threads, {1, 64}, "threads",
      "Threads that write push logs, and as many that write files of rows, shared by all shards");
}

}  // namespace

Settings MakeServerSettings(ProgramOptions* options) {
  Settings settings;
  AddPlace(options, &settings);
  AddLimits(&options->server, &settings);
  AddStorage(&options->server, &settings);
  return settings;
}

Program ServerProgram() {
  return {"rowhouse-ps",
          ROWHOUSE_VERSION,
          "Serves shards of embedding tables to workers.",
          {{"serve", "Serve until SIGTERM or SIGINT"},
           {"restore", "Make data directories from a checkpoint; has its own --help"},
           {"verify", "Say what is damaged in a data directory; has its own --help"}},
          {"rowhouse-ps --data-dir /var/lib/rowhouse",
           "rowhouse-ps --listen 127.0.0.1:0 --shards 2 --ready-file ready.json --data-dir data",
           "rowhouse-ps --cluster cluster.toml --server-index 1 --data-dir /var/lib/rowhouse"}};
}

absl::Status ApplyClusterFile(const Settings& settings, ProgramOptions* options) {
  if (options->cluster_file.empty()) return absl::OkStatus();
  for (const char* name : {"shards", "server_count"}) {
    if (settings.IsGiven(name)) {
      return absl::InvalidArgumentError(
          StrCat(FlagOf(name), " and --cluster contradict: ", "the cluster file says it"));
    }
  }
  ASSIGN_OR_RETURN(const ClusterFile cluster, ReadClusterFile(options->cluster_file));
  ServerOptions& server = options->server;
  if (server.server_index >= cluster.servers.size()) {
    return absl::InvalidArgumentError(StrCat("--server-index is ", server.server_index, "; ",
                                             options->cluster_file, " lists ",
                                             cluster.servers.size(), " servers, from 0"));
  }
  server.shards = cluster.shards_per_server;
  server.server_count = static_cast<uint32_t>(cluster.servers.size());
  if (!settings.IsGiven("listen")) server.listen = {cluster.servers[server.server_index]};
  return absl::OkStatus();
}

absl::Status CheckMemoryBudget(const ServerOptions& server) {
  const uint64_t least = kShardMemoryBytesMin * server.shards;
  if (server.memory_bytes_max == 0 || server.memory_bytes_max >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat(FlagOf("memory_bytes_max"), " is ", server.memory_bytes_max, ": ", server.shards,
             server.shards == 1 ? " shard needs" : " shards need", " at least ", least, " (",
             kShardMemoryBytesMin, " each); give more, fewer shards, or 0 for no limit"));
}

}  // namespace rowhouse

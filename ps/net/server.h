// A server process's inside: a lobby that greets connections and the shards that it hosts.
//
//   ASSIGN_OR_RETURN(auto server, Server::Start(options));
//   ... server->endpoints() ...
//   server->Stop();   // finish, flush; returns when everything is on disk
//
// Threading: Start, Stop and the destructor from one thread; the rest from any. The lobby and every
//   shard have a thread of their own; a small pool does their disk work.
// Errors: Start names what cannot be listened on, opened or read, and what to do.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types.h"
#include "ps/shard_limits.h"
#include "ps/shard_storage.h"
#include "storage/push_log.h"

namespace rowhouse {

struct ServerOptions {
  std::vector<std::string> listen = {"127.0.0.1:7600"};
  std::string data_dir = "rowhouse-data";
  std::string cluster_name = "rowhouse";  // servers and clients of other names are strangers
  uint32_t shards = 1;                    // hosted by this server
  uint32_t server_index = 0;              // of server_count equal servers
  uint32_t server_count = 1;
  // With a TCP endpoint: also a Unix socket in data_dir, which workers of this host and user find
  // by themselves.
  bool local_socket = true;

  ShardLimits limits;
  PushLogOptions log;
  bool log_direct = true;  // posix_log_files.h
  uint32_t connections_max = 1024;
  uint64_t connection_bytes_max = 256ull << 20;  // requests and answers in flight on one
  uint32_t hello_timeout_ms = 10000;
  uint32_t write_timeout_ms = 60000;  // a peer that takes nothing for so long is cut off
  uint32_t retry_ms = 200;            // between attempts at failed disk work
  uint32_t stop_timeout_ms = 60000;   // a stop that the disk does not let end gives up after it
  uint32_t io_threads = 2;
  uint32_t read_threads = 2;

  // Of the whole server, divided among the shards' limits and RocksDB; 0: no limit.
  uint64_t memory_bytes_max = 0;

  // Where a shard's storage comes from; by default directories below data_dir.
  std::function<absl::StatusOr<ShardStorage>(const ShardIdentity&)> open_storage;

  uint32_t shard_count() const { return shards * server_count; }
  uint32_t first_shard() const { return shards * server_index; }
};

class Server {
 public:
  static absl::StatusOr<std::unique_ptr<Server>> Start(ServerOptions options);
  virtual ~Server() = default;

  // As bound: with the port that the system chose where 0 was asked for.
  virtual std::vector<std::string> endpoints() const = 0;
  // The path of the socket for workers of this host; empty: there is none.
  virtual std::string local_socket() const = 0;
  virtual std::vector<ShardId> shards() const = 0;

  // Takes no more requests, answers those taken, writes everything out. Idempotent.
  // Errors: what could not be written within stop_timeout_ms, and why. What was acknowledged with
  // durability `log` or `fsync` is in the push log all the same.
  virtual absl::Status Stop() = 0;
};

}  // namespace rowhouse

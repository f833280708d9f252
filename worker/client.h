// The client library: pulls rows from a cluster of shards and pushes gradients to it.
//
//   ASSIGN_OR_RETURN(auto client, Client::Connect(options));
//   ASSIGN_OR_RETURN(Table user, client->CreateTable(spec));
//   auto pulled = client->Pull(Step(1), {{user, keys, rows}});
//   ... pulled.get() ...
//   auto pushed = client->Push(Step(1), {{user, keys, gradients}});
//
// Keys may repeat: a pull fills every occurrence, a push sums their gradients in order of
// appearance.
//
// Threading: any thread; calls take effect on every shard in the order in which they were made.
//   Network work is done by one event loop on a thread of the client's own, but small calls are
//   sent by the thread that makes them.
// Ownership: spans belong to the caller and must stay valid and unchanged until the future is
//   ready.
// Errors: refusals of the server, unchanged; kDeadline where `request_timeout_ms` has passed, with
//   the endpoint and the last reason. Lost connections are made again with backoff and jitter and
//   unanswered requests sent again, in order, under their numbers: a push is applied once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/table_spec.h"
#include "common/types.h"
#include "common/wire/control.h"
#include "common/wire/frame.h"

namespace rowhouse {

// What a shard has acknowledged: one part of one push.
struct AcknowledgedPart {
  ClientId client;
  Incarnation incarnation;
  Sequence sequence;
  ShardId shard;
  Lsn lsn;
  bool duplicate = false;      // the shard had applied it before
  uint64_t body_checksum = 0;  // of the request as it was sent
};

struct ClientOptions {
  std::vector<std::string> servers;  // "host:port" or "unix:/path", in any order
  std::string program = "rowhouse client";
  ClientId client;         // 0: a random one
  bool read_only = false;  // refuses to push; servers then keep nothing about this client
  // Where the server of a "host:port" turns out to be on this host, its Unix-domain socket is used
  // instead, if it has one and belongs to the same user.
  bool prefer_local = true;
  uint64_t random_seed = 0;  // of client id and jitter; 0: from the system
  uint32_t connect_timeout_ms = 10000;
  uint32_t request_timeout_ms = 60000;  // over all its retries
  uint32_t backoff_min_ms = 20;
  uint32_t backoff_max_ms = 2000;
  uint32_t requests_in_flight_max = 64;  // callers beyond it wait in Pull and Push
  // How often a client that pushes tells every shard that it is alive; so it also learns that a
  // checkpoint is being made while it has nothing else to say.
  uint32_t lease_ms = 2000;
  uint32_t leave_timeout_ms = 1000;  // how long its end may wait for shards to take note; 0: none
  uint64_t frame_bytes_max = 64ull << 20;
  // Told of every part before the push's future is ready, on the client's own thread: must be
  // quick.
  std::function<void(const AcknowledgedPart&)> on_acknowledged;
};

// A control message or its answer, as it is encoded in a frame's body.
using ControlBody = std::vector<std::byte>;

struct Table {
  TableId id;
  Generation generation;
  uint32_t dim = 0;
};

struct PullPart {
  Table table;
  std::span<const Key> keys;  // [n]
  std::span<float> rows;      // [n, dim], filled
};

struct PushPart {
  Table table;
  std::span<const Key> keys;         // [n]
  std::span<const float> gradients;  // [n, dim]
};

class Client {
 public:
  // Finds every shard of the cluster behind `servers`, connects to all of them and, unless it is
  // read-only, opens this client on each. Errors name the endpoint: refused, not a Rowhouse server,
  // other version, a shard that none or two of the servers host, servers of different clusters.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(ClientOptions options);
  virtual ~Client() = default;

  // On every shard; idempotent. Blocks.
  virtual absl::StatusOr<Table> CreateTable(const TableSpec& spec) = 0;

  // At most one part per table. `step`: the step that the pull is for.
  virtual std::future<absl::Status> Pull(Step step, std::vector<PullPart> parts) = 0;
  // One optimizer step's gradients, over all tables and shards. `step` counts from 1. Where a push
  // over several shards fails and some may have applied their part, the client leaves: later pushes
  // fail, and a client that connects anew goes on (its checkpoints name the step that is half
  // done).
  virtual std::future<absl::Status> Push(Step step, std::vector<PushPart> parts) = 0;

  // Counters of every shard, one StatsAnswer each, by shard id. Blocks.
  virtual absl::StatusOr<std::vector<StatsAnswer>> Stats() = 0;

  // Sends one control message to every shard; the answers' bodies by shard id. The errors name the
  // shard. `done` is called once, on the client's own thread: must be quick. For the drivers of
  // checkpoints: worker/checkpoint/checkpoint_driver.h.
  using ControlAnswers = absl::StatusOr<std::vector<ControlBody>>;
  virtual void AskAllShards(std::string what, Op op, ControlBody message,
                            std::function<void(ControlAnswers)> done) = 0;

  virtual uint32_t shard_count() const = 0;
  virtual ClientId id() const = 0;
  virtual Timeline timeline() const = 0;
  // The highest step that any shard had of this client's id when the client connected, under all
  // its incarnations: a run that is resumed goes on after it. 0: none, or the client is read-only.
  virtual Step last_step() const = 0;
};

}  // namespace rowhouse

// Control messages: everything but pulls and pushes. Bodies are made by the archives of archive.h.
//
// Threading: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/refusal.h"
#include "common/table_spec.h"
#include "common/types.h"

namespace rowhouse {

// ShardId in a Hello that only asks what a server hosts; the connection serves nothing else.
inline constexpr ShardId kNoShard{0xffffffffu};

// First frame of every connection, client to server.
struct Hello {
  static constexpr std::string_view kName = "hello";
  uint16_t version_min = 0;  // protocol versions that the client speaks
  uint16_t version_max = 0;
  ShardId shard = kNoShard;  // the shard that this connection wants to talk to
  Timeline timeline;         // 0: the client has not seen this cluster before
  std::string program;       // who speaks, for the server's log: "rowhouse-worker rank 0"

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(version_min, version_max, shard, timeline, program);
  }
};

// How clients of the server's own host and user reach it without the network. Only a client whose
// connection has the ends that the server sees may use it: then both are on one host, and nothing
// stands between them that was put there for a purpose.
struct LocalSocket {
  // Drawn at each start of a server, on all its connections the same: whether two endpoints are
  // one server's.
  uint64_t server_life = 0;
  std::string path;        // absolute, of a Unix-domain socket; empty: none for this connection
  std::string client_end;  // of this connection, as the server sees it: "127.0.0.1:40000"
  std::string server_end;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(server_life, path, client_end, server_end);
  }
};

struct HelloAnswer {
  static constexpr std::string_view kName = "hello answer";
  uint16_t version = 0;  // the one that both will use from here on
  Timeline timeline;
  Epoch epoch;  // of the slot map
  uint32_t slot_bits = 0;
  uint32_t shard_count = 0;     // of the whole cluster
  std::vector<ShardId> shards;  // hosted by this server
  uint64_t frame_bytes_max = 0;
  uint64_t keys_per_request_max = 0;
  LocalSocket local;  // from version 2 on

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(version, timeline, epoch, slot_bits, shard_count, shards, frame_bytes_max,
            keys_per_request_max);
    if (version >= 2) archive(local);
  }
};

// Idempotent: creating a table again with the same spec answers with its generation.
struct CreateTable {
  static constexpr std::string_view kName = "create table";
  TableSpec spec;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(spec);
  }
};

struct CreateTableAnswer {
  static constexpr std::string_view kName = "create table answer";
  TableId table;
  Generation generation;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(table, generation);
  }
};

// Asks for the highest incarnation of a client that this shard knows.
struct QueryClient {
  static constexpr std::string_view kName = "query client";
  ClientId client;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(client);
  }
};

struct QueryClientAnswer {
  static constexpr std::string_view kName = "query client answer";
  Incarnation incarnation;  // 0: the client is not known here
  Mark mark;                // the highest checkpoint mark announced to this shard
  Step step;                // the highest step of any push of the client, all incarnations

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(incarnation, mark, step);
  }
};

// Opens (client, incarnation) for pushes on this shard and fences every lower incarnation. `mark`
// is the highest that the client has learned from any shard; below what was announced to this one
// it is refused as kStaleMark, and the client asks again.
struct OpenClient {
  static constexpr std::string_view kName = "open client";
  ClientId client;
  Incarnation incarnation;
  Mark mark;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(client, incarnation, mark);
  }
};

struct OpenClientAnswer {
  static constexpr std::string_view kName = "open client answer";
  Sequence window_floor;          // numbers below it are never accepted again
  std::vector<Sequence> applied;  // numbers at or above it that are applied
  Mark mark;                      // the highest checkpoint mark announced to this shard
  Step step;                      // the highest step of any push of the client, all incarnations

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(window_floor, applied, mark, step);
  }
};

struct Stats {
  static constexpr std::string_view kName = "stats";
  uint8_t version = 1;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(version);
  }
};

struct Counter {
  std::string name;
  uint64_t value = 0;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(name, value);
  }
};

struct StatsAnswer {
  static constexpr std::string_view kName = "stats answer";
  std::vector<Counter> counters;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(counters);
  }
};

struct ErrorAnswer {
  static constexpr std::string_view kName = "error";
  RefusalReason reason = RefusalReason::kNone;
  std::string message;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(reason, message);
  }
};

}  // namespace rowhouse

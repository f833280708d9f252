// Connections between client processes and shards: streams of whole frames, in order, with delays,
// that can be cut at any moment.
//
// What was in flight when a connection was cut is lost, or comes still: a shard may well see a
// frame of an old connection after its sender has come back on a new one.
//
// Threading: one thread.
// Ownership: clients and servers outlive the network's use; Forget takes a client out.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "common/types.h"
#include "common/wire/frame_builder.h"
#include "ps/effects.h"
#include "tests/simulation/world.h"

namespace rowhouse {

class ClientEnd {
 public:
  virtual ~ClientEnd() = default;
  virtual void OnConnected(SessionId session, bool accepted) = 0;
  // `life`: of the shard, when it answered.
  virtual void OnAnswer(SessionId session, const ReceivedFrame& frame, size_t life) = 0;
  virtual void OnLost(SessionId session) = 0;
};

class ServerEnd {
 public:
  virtual ~ServerEnd() = default;
  virtual bool Accept(SessionId session) = 0;
  virtual void OnFrame(SessionId session, const ReceivedFrame& frame) = 0;
  virtual void OnEnded(SessionId session) = 0;
};

class Network {
 public:
  explicit Network(World* world) : world_(world) {}

  void AddServer(ShardId shard, ServerEnd* server) { servers_[shard] = server; }

  // Client's side. OnConnected comes later.
  SessionId Connect(ClientEnd* client, ShardId shard);
  void SendToServer(SessionId session, OutFrame frame);
  // What was sent before arrives still.
  void CloseByClient(SessionId session);
  // The client's process is gone: nothing is told to it any more, its connections end.
  void Forget(const ClientEnd* client);

  // Server's side.
  void SendToClient(SessionId session, OutFrame frame, size_t life);
  // After what was sent before.
  void CloseByServer(SessionId session);
  void ServerGone(ShardId shard);

  // Faults.
  void Cut(SessionId session);
  std::vector<SessionId> OpenSessions() const;

 private:
  struct Connection {
    ClientEnd* client = nullptr;  // null: gone
    ShardId shard;
    bool client_open = true;
    bool server_open = false;
    bool cut = false;
    bool drops_answers = false;
    bool drops_requests = false;
    uint64_t to_server_us = 0;  // arrival of the last frame sent
    uint64_t to_client_us = 0;
    uint64_t held_until_us = 0;  // requests arrive no earlier
  };

  uint64_t Delay() { return 1 + world_->random.Below(world_->plan.network_us_max); }
  void Deliver(SessionId session, const ReceivedFrame& frame);
  void LoseAtClient(SessionId session, uint64_t at_us);
  void EndAtServer(SessionId session, uint64_t at_us);

  World* const world_;
  std::map<ShardId, ServerEnd*> servers_;
  std::map<SessionId, Connection> connections_;
  uint64_t next_session_ = 1;
};

}  // namespace rowhouse

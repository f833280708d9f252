#include "tests/simulation/network.h"

#include <algorithm>
#include <utility>

#include "tests/support/frames.h"

namespace rowhouse {

SessionId Network::Connect(ClientEnd* client, ShardId shard) {
  const SessionId session(next_session_++);
  Connection& made = connections_[session];
  made.client = client;
  made.shard = shard;
  world_->events.After(Delay(), [this, session] {
    Connection& c = connections_[session];
    if (c.client == nullptr || !c.client_open) return;
    c.server_open = !c.cut && servers_[c.shard]->Accept(session);
    world_->trace.Note("session ", session.value(), " to shard ", c.shard.value(),
                       c.server_open ? " accepted" : " refused");
    if (!c.server_open) c.client_open = false;
    c.client->OnConnected(session, c.server_open);
  });
  return session;
}

void Network::SendToServer(SessionId session, OutFrame frame) {
  Connection& c = connections_[session];
  if (!c.client_open || c.cut) return;
  c.to_server_us = std::max(c.to_server_us, world_->events.now_us() + Delay());
  world_->events.At(c.to_server_us,
                    [this, session, received = Receive(frame)] { Deliver(session, received); });
}

void Network::Deliver(SessionId session, const ReceivedFrame& frame) {
  Connection& c = connections_[session];
  if (!c.server_open || c.drops_requests) return;
  if (c.held_until_us > world_->events.now_us()) {
    world_->events.At(c.held_until_us, [this, session, frame] { Deliver(session, frame); });
    return;
  }
  if (c.cut) world_->Count("late request");
  servers_[c.shard]->OnFrame(session, frame);
}

void Network::CloseByClient(SessionId session) {
  Connection& c = connections_[session];
  if (!std::exchange(c.client_open, false)) return;
  EndAtServer(session, std::max(c.to_server_us, c.held_until_us) + 1);
}

void Network::Forget(const ClientEnd* client) {
  for (auto& [session, c] : connections_) {
    if (c.client != client) continue;
    if (c.client_open) Cut(session);
    c.client = nullptr;
    c.client_open = false;
  }
}

void Network::SendToClient(SessionId session, OutFrame frame, size_t life) {
  Connection& c = connections_[session];
  if (!c.client_open || c.cut) return;
  c.to_client_us = std::max(c.to_client_us, world_->events.now_us() + Delay());
  world_->events.At(c.to_client_us, [this, session, life, received = Receive(frame)] {
    Connection& to = connections_[session];
    if (to.client == nullptr || !to.client_open || to.drops_answers) return;
    to.client->OnAnswer(session, received, life);
  });
}

void Network::CloseByServer(SessionId session) {
  Connection& c = connections_[session];
  if (!std::exchange(c.server_open, false)) return;
  LoseAtClient(session, std::max(c.to_client_us, world_->events.now_us()) + 1);
}

void Network::ServerGone(ShardId shard) {
  for (auto& [session, c] : connections_) {
    if (c.shard != shard || !c.server_open) continue;
    c.server_open = false;
    c.drops_answers = world_->OneIn(2);
    LoseAtClient(session, world_->events.now_us() + Delay());
  }
}

void Network::Cut(SessionId session) {
  Connection& c = connections_[session];
  if (std::exchange(c.cut, true)) return;
  world_->trace.Note("cut session ", session.value());
  c.drops_answers = world_->OneIn(2);
  c.drops_requests = world_->OneIn(2);
  const uint64_t now_us = world_->events.now_us();
  if (world_->OneIn(2)) c.held_until_us = now_us + world_->Between(1, 200'000);
  LoseAtClient(session, now_us + Delay());
  EndAtServer(session, std::max({now_us + Delay(), c.to_server_us, c.held_until_us}) + 1);
}

std::vector<SessionId> Network::OpenSessions() const {
  std::vector<SessionId> open;
  for (const auto& [session, c] : connections_) {
    if (c.client_open && c.server_open && !c.cut) open.push_back(session);
  }
  return open;
}

void Network::LoseAtClient(SessionId session, uint64_t at_us) {
  world_->events.At(at_us, [this, session] {
    Connection& c = connections_[session];
    if (c.client == nullptr || !std::exchange(c.client_open, false)) return;
    c.client->OnLost(session);
  });
}

void Network::EndAtServer(SessionId session, uint64_t at_us) {
  world_->events.At(at_us, [this, session] {
    Connection& c = connections_[session];
    if (std::exchange(c.server_open, false)) servers_[c.shard]->OnEnded(session);
  });
}

}  // namespace rowhouse

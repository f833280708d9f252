#include "tests/simulation/checkpoint_maker.h"

#include <algorithm>
#include <utility>

#include "common/refusal.h"
#include "common/status_macros.h"
#include "common/wire/archive.h"
#include "common/wire/control.h"
#include "worker/checkpoint/checkpoint_driver.h"

namespace rowhouse {
namespace {

constexpr uint64_t kPollUs = 5'000;
constexpr uint64_t kReconnectUs = 10'000;
constexpr uint64_t kTimeoutUs = 2'000'000;

}  // namespace

CheckpointMaker::CheckpointMaker(World* world, Network* network, uint64_t attempt)
    : world_(world),
      network_(network),
      attempt_(attempt),
      peers_(world->plan.shard_count),
      statuses_(world->plan.shard_count) {}

void CheckpointMaker::Later(uint64_t delay_us, EventQueue::Event event) {
  world_->events.After(delay_us, [this, event = std::move(event)] {
    if (!done_) event();
  });
}

void CheckpointMaker::Start() {
  world_->Count("checkpoint begun");
  world_->trace.Note("checkpoint attempt ", attempt_, " begins");
  for (Peer& peer : peers_) Connect(&peer);
  AskAll(Stage::kPrepare, Op::kPrepareCheckpoint, PrepareCheckpoint{attempt_});
  Later(kTimeoutUs, [this] {
    world_->Count("checkpoint out of time");
    End();
  });
}

void CheckpointMaker::Die() {
  if (std::exchange(done_, true)) return;
  network_->Forget(this);
}

CheckpointMaker::Peer* CheckpointMaker::PeerOf(SessionId session) {
  if (done_) return nullptr;
  for (Peer& peer : peers_) {
    if (peer.session == session) return &peer;
  }
  return nullptr;
}

void CheckpointMaker::Connect(Peer* peer) {
  peer->connected = false;
  peer->session = network_->Connect(this, ShardId(static_cast<uint32_t>(peer - peers_.data())));
}

void CheckpointMaker::Reconnect(Peer* peer) {
  network_->CloseByClient(peer->session);
  peer->session = SessionId(0);
  peer->connected = false;
  Later(kReconnectUs, [this, peer] {
    if (peer->session == SessionId(0)) Connect(peer);
  });
}

void CheckpointMaker::OnConnected(SessionId session, bool accepted) {
  Peer* peer = PeerOf(session);
  if (peer == nullptr) return;
  if (!accepted) return Reconnect(peer);
  peer->connected = true;
  if (peer->asked) Ask(peer);
}

void CheckpointMaker::OnLost(SessionId session) {
  if (Peer* peer = PeerOf(session); peer != nullptr) Reconnect(peer);
}

void CheckpointMaker::Ask(Peer* peer) {
  if (peer->connected) network_->SendToServer(peer->session, MakeFrame(op_, request_, body_));
}

template <typename Message>
void CheckpointMaker::AskAll(Stage stage, Op op, const Message& message) {
  stage_ = stage;
  op_ = op;
  body_ = EncodeControl(message);
  ++request_;
  for (Peer& peer : peers_) {
    peer.asked = true;
    Ask(&peer);
  }
}

void CheckpointMaker::OnAnswer(SessionId session, const ReceivedFrame& frame, size_t) {
  Peer* peer = PeerOf(session);
  if (peer == nullptr || frame.header.request_id != request_ || !peer->asked) return;
  const absl::Status status = TakeAnswer(peer, frame);
  if (IsRetryable(status)) return Reconnect(peer);
  if (!status.ok()) {
    world_->trace.Note("checkpoint attempt ", attempt_, ": ", std::string(status.message()));
    world_->Count("checkpoint refused or failed");
    return End();
  }
  peer->asked = false;
  if (std::none_of(peers_.begin(), peers_.end(), [](const Peer& p) { return p.asked; })) Next();
}

absl::Status CheckpointMaker::TakeAnswer(Peer* peer, const ReceivedFrame& frame) {
  if (frame.op() == Op::kError) {
    ASSIGN_OR_RETURN(const ErrorAnswer error, DecodeControl<ErrorAnswer>(frame.body));
    return RefuseWith(error.reason, error.message);
  }
  if (frame.op() != Op::kCheckpointStatusAnswer) return absl::OkStatus();
  ASSIGN_OR_RETURN(auto status, DecodeControl<CheckpointStatusAnswer>(frame.body));
  if (status.phase == CheckpointPhase::kFailed) return absl::AbortedError(status.failure);
  statuses_[static_cast<size_t>(peer - peers_.data())] = std::move(status);
  return absl::OkStatus();
}

void CheckpointMaker::Next() {
  switch (stage_) {
    case Stage::kPrepare:
      return AskStatus(Stage::kFlushing);
    case Stage::kFlushing:
      return Await(CheckpointPhase::kPrepared);
    case Stage::kAnnounce:
    case Stage::kLeaving:
      return AskStatus(Stage::kWaiting);
    case Stage::kWaiting:
      return Await(CheckpointPhase::kSealed);
    case Stage::kPublish:
      return AskStatus(Stage::kCopying);
    case Stage::kCopying:
      return Await(CheckpointPhase::kPublished);
    case Stage::kEnd:
      return Die();
  }
}

void CheckpointMaker::Await(CheckpointPhase phase) {
  const bool reached = std::all_of(statuses_.begin(), statuses_.end(),
                                   [phase](const auto& status) { return status.phase >= phase; });
  if (!reached) {
    if (stage_ == Stage::kWaiting && LeaveSilentClient()) return;
    return Later(kPollUs, [this, stage = stage_] {
      if (stage == stage_) AskStatus(stage);
    });
  }
  if (phase == CheckpointPhase::kPrepared) {
    mark_ = NextMark();
    world_->trace.Note("checkpoint attempt ", attempt_, " announces mark ", mark_.value());
    AskAll(Stage::kAnnounce, Op::kAnnounceMark, AnnounceMark{mark_});
  } else if (phase == CheckpointPhase::kSealed) {
    AskAll(Stage::kPublish, Op::kPublishCheckpoint, PublishCheckpoint{attempt_, "/depot"});
  } else {
    Made();
    End();
  }
}

bool CheckpointMaker::LeaveSilentClient() {
  const auto silent = SilentClients(statuses_, world_->plan.checkpoint_leave_after_ms);
  if (silent.empty()) return false;
  world_->Count("client left behind");
  AskAll(Stage::kLeaving, Op::kLeaveClient,
         LeaveClient{silent.front().client, silent.front().incarnation});
  return true;
}

// Above every mark that a shard knows, and every checkpoint that was made.
Mark CheckpointMaker::NextMark() const {
  Mark highest;
  for (const auto& status : statuses_) highest = std::max(highest, status.mark);
  for (const MadeCheckpoint& made : world_->depot.made) highest = std::max(highest, made.mark);
  return Mark(highest.value() + 1);
}

void CheckpointMaker::Made() {
  MadeCheckpoint made;
  made.mark = mark_;
  made.half_steps = HalfStepsOf(statuses_);
  for (auto& [shard, published] : world_->depot.attempts[attempt_]) {
    made.shards.push_back(std::move(published));
  }
  for (const auto& status : statuses_) made.cuts.push_back(status.cut);
  if (made.shards.size() != statuses_.size()) {
    return world_->Expect(absl::DataLossError("checkpoint: a shard has published nothing"));
  }
  world_->trace.Note("checkpoint ", mark_.value(), " is made, ", made.half_steps.size(),
                     " half steps");
  world_->Count("checkpoint made");
  world_->Count("half steps named", made.half_steps.size());
  world_->depot.made.push_back(std::move(made));
}

// The shards need not keep anything any longer.
void CheckpointMaker::End() {
  world_->depot.attempts.erase(attempt_);
  if (stage_ == Stage::kEnd) return Die();
  AskAll(Stage::kEnd, Op::kAbandonCheckpoint, AbandonCheckpoint{attempt_});
}

}  // namespace rowhouse

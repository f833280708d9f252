// A simulated driver of one checkpoint: the steps of worker/checkpoint/checkpoint_driver.h on
// simulated connections. It can die at any moment.
//
// Threading: one thread.
// Ownership: lives until the run ends, also when it is done or dead.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/wire/checkpoint.h"
#include "tests/simulation/network.h"
#include "tests/simulation/world.h"

namespace rowhouse {

class CheckpointMaker final : public ClientEnd {
 public:
  CheckpointMaker(World* world, Network* network, uint64_t attempt);

  void Start();
  void Die();
  bool done() const { return done_; }

  // ClientEnd
  void OnConnected(SessionId session, bool accepted) override;
  void OnAnswer(SessionId session, const ReceivedFrame& frame, size_t life) override;
  void OnLost(SessionId session) override;

 private:
  enum class Stage { kPrepare, kFlushing, kAnnounce, kWaiting, kLeaving, kPublish, kCopying, kEnd };
  struct Peer {
    SessionId session;
    bool connected = false;
    bool asked = false;  // the answer is outstanding
  };

  void Later(uint64_t delay_us, EventQueue::Event event);
  Peer* PeerOf(SessionId session);
  void Connect(Peer* peer);
  void Reconnect(Peer* peer);
  void Ask(Peer* peer);

  // Asks every shard the same thing; Next comes when all have answered.
  template <typename Message>
  void AskAll(Stage stage, Op op, const Message& message);
  void AskStatus(Stage stage) { AskAll(stage, Op::kCheckpointStatus, CheckpointStatus{attempt_}); }
  absl::Status TakeAnswer(Peer* peer, const ReceivedFrame& frame);
  void Next();
  void Await(CheckpointPhase phase);
  // True where somebody has to be left behind first.
  bool LeaveSilentClient();
  Mark NextMark() const;
  void Made();
  void End();

  World* const world_;
  Network* const network_;
  const uint64_t attempt_;

  bool done_ = false;
  Stage stage_ = Stage::kPrepare;
  Op op_ = Op::kPrepareCheckpoint;
  std::vector<std::byte> body_;
  uint64_t request_ = 0;
  std::vector<Peer> peers_;
  std::vector<CheckpointStatusAnswer> statuses_;
  Mark mark_;
};

}  // namespace rowhouse

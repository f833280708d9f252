// A shard in its simulated surroundings: its storage, its sessions, the jobs that it asks for, and
// its lives and deaths.
//
// Carries out a shard's effects as the server does, each after a delay of its own, so that a crash
// can come between any two of them.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "ps/shard.h"
#include "ps/shard_storage.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/network.h"
#include "tests/simulation/sim_disk.h"
#include "tests/simulation/world.h"

namespace rowhouse {

// Places between two effects.
enum class Boundary {
  kNone,
  kAfterLogJob,
  kAfterFileJob,
  kAfterAnswer,
  kAfterFlushStep,
  kAfterCheckpointJob,
};

class SimServer final : public ServerEnd {
 public:
  SimServer(World* world, Network* network, ShardId shard);

  // Begins a life; while the disk fails it may not come about, and is tried again.
  void Start();
  void Crash(LifeEnd end);
  void CrashAt(Boundary boundary, LifeEnd end);
  void DieInJob(uint64_t writes, LifeEnd end);
  // Orderly; the life ends with all work done.
  void Stop();
  bool up() const { return shard_ != nullptr; }

  SimDisk& disk() { return disk_; }
  void set_slowness(uint64_t factor) { slowness_ = factor; }

  // The lives so far; the last one may still run.
  const std::vector<Life>& lives() const { return lives_; }
  // Of the running life: the rows in memory, and on disk those that are not in memory.
  Rows ReadRows();
  // What the log and the rows hold is what it should be.
  void CheckStored();
  // Adds what was refused, and why, to the world's counts.
  void CountRefusals();

  // ServerEnd
  bool Accept(SessionId session) override;
  void OnFrame(SessionId session, const ReceivedFrame& frame) override;
  void OnEnded(SessionId session) override;

 private:
  struct Session {
    uint64_t unanswered = 0;
    bool finishing = false;
    std::deque<ReceivedFrame> waiting;  // while the shard is congested
  };

  size_t life() const { return lives_.size() - 1; }
  std::string name() const { return StrCat("shard ", identity_.shard.value()); }
  uint64_t NowMs() const;
  uint64_t JobDelay() { return 1 + world_->random.Below(world_->plan.job_us_max * slowness_); }
  // Runs `event` later, unless the life has ended by then.
  void InThisLife(uint64_t delay_us, EventQueue::Event event);

  absl::Status Restore();
  void BeginLife();
  void StartLater();
  void HandleWaiting();
  bool HandleOneWaiting();
  void CloseSession(SessionId session);
  void Handle(SessionId session, const ReceivedFrame& frame);
  void Perform(Effects effects);
  void SendAnswer(Answer answer);
  void FinishIfAnswered(SessionId session);
  void CountEvictions();
  void Offer(std::span<const LogRecord> records);
  void RunLog(LogJob job);
  void RunFile(FileJob job);
  void RunRead(const ReadJob& job);
  void RunCheckpoint(const CheckpointJob& job);
  absl::Status Publish(const CheckpointJob& job);
  bool CrashIfAt(Boundary boundary);

  World* const world_;
  Network* const network_;
  const ShardIdentity identity_;
  RefusalCounters counters_;
  SimDisk disk_;
  ShardStorage storage_;
  std::unique_ptr<Shard> shard_;
  std::map<SessionId, Session> sessions_;
  std::vector<Life> lives_;
  uint64_t run_ = 0;  // counts starts and ends, for events that belong to one life
  uint64_t slowness_ = 1;
  bool starting_ = false;
  bool handling_ = false;
  Boundary crash_at_ = Boundary::kNone;
  LifeEnd crash_end_ = LifeEnd::kKilled;
};

}  // namespace rowhouse

// The checkpoints that a training job makes of itself, one at a time, on a thread of their own.
//
// Threading: called by the training's thread; the client is used from both.
// Ownership: the client belongs to the caller and outlives this.
// Errors: a checkpoint that fails is told as an outcome; training goes on.
#pragma once

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/checkpoint/cancellation.h"
#include "worker/checkpoint/checkpoint_driver.h"
#include "worker/client.h"

namespace rowhouse {

struct TrainingCheckpointOptions {
  std::string directory;     // empty: no checkpoints
  uint64_t every_steps = 0;  // 0: not by steps
  uint64_t every_ms = 0;     // 0: not by time
  uint32_t keep = 0;         // of the newest; 0: all
  uint32_t leave_after_ms = 30'000;
};

struct TrainingCheckpointOutcome {
  absl::StatusOr<CheckpointManifest> manifest;
  double seconds = 0;
};

class TrainingCheckpoints {
 public:
  TrainingCheckpoints(Client& client, const TrainingCheckpointOptions& options);
  // Cancels one that is under way, whatever it waits for.
  ~TrainingCheckpoints();

  // Begins one, when the one before has ended; returns when the client knows the new mark, so that
  // the next push bears it, or the checkpoint has failed.
  void BeginAndAwaitMark(std::string user_data);
  // Begins one unless one is under way; returns at once.
  void BeginUnlessBusy(std::string user_data);
  // Waits for the end of the one under way.
  void Finish();

  // What has ended since the last call.
  std::vector<TrainingCheckpointOutcome> TakeOutcomes();

 private:
  void Begin(std::string user_data);
  bool IsBusy() const;

  Client& client_;
  const TrainingCheckpointOptions options_;
  const std::shared_ptr<Cancellation> cancellation_ = std::make_shared<Cancellation>();
  std::thread thread_;
  std::future<void> announced_;  // ready when the mark is, or the checkpoint failed
  std::future<void> ended_;

  mutable std::mutex mutex_;
  std::vector<TrainingCheckpointOutcome> outcomes_;
};

}  // namespace rowhouse

// Makes a checkpoint of a cluster: leads all shards through the steps of common/wire/checkpoint.h
// and writes the manifest. It holds no state: whatever becomes of it, the shards abandon what it
// had begun and the checkpoint's number is not used again.
//
// The directory must be the same one, under the same absolute path, for the driver and for every
// server: they put their files there themselves.
//
// Threading: CreateCheckpoint blocks; the observer is called on the calling thread.
// Errors: name the shard and the reason. The attempt is abandoned on every shard then.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/checkpoint_manifest.h"
#include "worker/checkpoint/cancellation.h"
#include "worker/client.h"

namespace rowhouse {

struct CheckpointOptions {
  std::string directory;
  std::string user_data;  // goes into the manifest
  // A client that has not closed the mark and was silent for as long is left behind: its push is
  // refused if it comes back. 0: none is.
  uint32_t leave_after_ms = 30'000;
  uint32_t timeout_ms = 3'600'000;  // of the whole
  uint32_t poll_ms = 50;
  uint32_t abandon_timeout_ms = 2'000;  // how long its end may wait for shards to let go
  // Ends it from another thread, whatever it waits for.
  std::shared_ptr<Cancellation> cancellation = std::make_shared<Cancellation>();
};

enum class CheckpointStage { kFlushing, kWaiting, kCopying };

struct CheckpointProgress {
  CheckpointStage stage = CheckpointStage::kFlushing;
  uint64_t bytes_done = 0;  // kFlushing, kCopying
  uint64_t bytes_total = 0;
  size_t clients_unclosed = 0;  // kWaiting
};

class CheckpointObserver {
 public:
  virtual ~CheckpointObserver() = default;
  // Every shard knows the mark, and so does the client that drives.
  virtual void Announced(Mark) {}
  virtual void Progressed(const CheckpointProgress&) {}
  // A client was left behind.
  virtual void Left(const UnclosedClient&) {}
};

absl::StatusOr<CheckpointManifest> CreateCheckpoint(Client& client,
                                                    const CheckpointOptions& options,
                                                    CheckpointObserver& observer);

// Steps of which some parts are missing, from what every shard tells of clients that left.
std::vector<HalfStep> HalfStepsOf(std::span<const CheckpointStatusAnswer> shards);

// Those of the unclosed clients that every shard which waits for them has not heard of for
// `silent_ms`.
std::vector<UnclosedClient> SilentClients(std::span<const CheckpointStatusAnswer> shards,
                                          uint64_t silent_ms);

}  // namespace rowhouse

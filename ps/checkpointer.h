// One shard's part in a checkpoint: the state machine of an attempt (common/wire/checkpoint.h).
//
//   prepare -> a flush, where one is worth it, runs to its end -> freeze (job) -> kPrepared
//   a mark above all that the image can hold is announced -> kMarked
//   every client has closed it or left -> the log is synced up to here, the cut -> kSealed
//   publish -> job -> kPublished
//
// The image holds only what was marked up to the highest mark that was announced when it was done,
// so only a higher one can be the cut's. While the attempt lives, the log above the image's
// watermark is kept. An attempt ends by Abandon, by the next Prepare, or when nobody asks for it
// any more; its image is dropped then. A failure is kept to be told, and drops the image too.
//
// Threading: one shard, one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/types.h"
#include "common/wire/checkpoint.h"
#include "ps/effects.h"

namespace rowhouse {

// What an image waits for. Any image is right: what its rows lack is in the log from its watermark
// on, which belongs to the checkpoint too. A flush makes that log shorter.
enum class ImageFlush {
  kOwn,      // a flush of its own, once none is held up
  kRunning,  // the end of the one that runs
  kNone,
};

class Checkpointer {
 public:
  explicit Checkpointer(uint64_t timeout_ms) : timeout_ms_(timeout_ms) {}

  // The driver's requests. A repeated one changes nothing.
  // Errors: kNoCheckpoint where this attempt is not the one under way, or not ready for that.
  void Prepare(uint64_t attempt, uint64_t now_ms, ImageFlush flush = ImageFlush::kOwn);
  absl::Status Publish(const PublishCheckpoint& request, uint64_t now_ms);
  void Abandon(uint64_t attempt);
  // The driver is there.
  absl::Status Ask(uint64_t attempt, uint64_t now_ms);

  // What happens meanwhile.
  void ExpireAt(uint64_t now_ms);
  void OnStop();
  // `mark`: the highest announced to the shard by now.
  void OnAnnounced(Mark mark);
  // A driver announced `mark`, new here or not.
  void OnAsked(Mark mark);
  void OnFlushBegun();
  void OnFlushFinished();
  void OnFlushFailed(const absl::Status& status);
  // Every client has closed mark() or left.
  void OnAllClosed(Lsn last_lsn, std::vector<CheckpointPart> parts_of_left);
  void OnSynced(Lsn synced);
  // `announced`: the highest mark; `watermark`: of the rows, as the image has it.
  void OnJobDone(const CheckpointOutcome& outcome, Mark announced, Lsn watermark);

  // What is due.
  bool WantsFlush() const { return phase_ == Phase::kToFlush; }
  // No flush may begin: the image is being made.
  bool HoldsFlush() const { return job_ == CheckpointJob::Kind::kFreeze || freeze_due_; }
  bool WaitsForClients() const { return phase_ == Phase::kMarked; }
  std::optional<Lsn> SyncWanted() const;
  std::optional<CheckpointJob> NextJob();
  // How far the log may be trimmed where the rows' watermark is this.
  Lsn TrimBound(Lsn watermark) const;
  // Nothing is under way and no image is left.
  bool idle() const { return !job_.has_value() && to_drop_.empty() && !freeze_due_; }
  bool alive() const { return phase_ != Phase::kNone; }

  Mark mark() const { return mark_; }
  // Everything but `mark` and `unclosed`, which the shard knows. REQUIRES: Ask was OK.
  CheckpointStatusAnswer Status() const;

 private:
  enum class Phase {
    kNone,
    kToFlush,   // waits until a flush can begin
    kFlushing,  // that flush runs
    kFreezing,  // the freeze job is due or runs
    kPrepared,
    kMarked,
    kSealing,  // the log up to the cut is being synced
    kSealed,
    kPublishing,
    kPublished,
    kFailed,
  };

  CheckpointPhase WirePhase() const;
  absl::Status NotReady(std::string_view what) const;
  void End();
  void Fail(const absl::Status& status);
  void DropImage();
  void OnFrozen(Mark announced, Lsn watermark);

  uint64_t timeout_ms_;

  Phase phase_ = Phase::kNone;
  uint64_t attempt_ = 0;
  uint64_t asked_ms_ = 0;
  std::string failure_;
  Mark image_mark_;  // the image holds nothing marked higher
  Mark mark_;        // the cut is everything marked less
  Lsn watermark_;
  Lsn cut_;
  std::vector<CheckpointPart> parts_of_left_;
  std::string directory_;
  std::shared_ptr<PublishProgress> progress_;
  std::vector<CheckpointFile> files_;

  // Jobs may belong to an attempt that is over.
  std::optional<CheckpointJob::Kind> job_;  // under way
  uint64_t job_attempt_ = 0;
  bool freeze_due_ = false;
  bool publish_due_ = false;
  std::vector<uint64_t> to_drop_;
};

}  // namespace rowhouse

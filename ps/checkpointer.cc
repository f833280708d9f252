#include "ps/checkpointer.h"

#include <algorithm>
#include <utility>

#include "common/refusal.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace rowhouse {
namespace {

constexpr std::string_view kPhaseNames[] = {"no phase",   "flushing",  "flushing", "flushing",
                                            "prepared",   "marked",    "marked",   "sealed",
                                            "publishing", "published", "failed"};

}  // namespace

void Checkpointer::Prepare(uint64_t attempt, uint64_t now_ms, ImageFlush flush) {
  if (alive() && attempt == attempt_) {
    asked_ms_ = std::max(asked_ms_, now_ms);
    return;
  }
  End();
  attempt_ = attempt;
  asked_ms_ = now_ms;
  switch (flush) {
    case ImageFlush::kOwn:
      phase_ = Phase::kToFlush;
      break;
    case ImageFlush::kRunning:
      phase_ = Phase::kFlushing;
      break;
    case ImageFlush::kNone:
      phase_ = Phase::kFreezing;
      freeze_due_ = true;
      break;
  }
}

absl::Status Checkpointer::Publish(const PublishCheckpoint& request, uint64_t now_ms) {
  RETURN_IF_ERROR(Ask(request.attempt, now_ms));
  const bool begun = phase_ == Phase::kPublishing || phase_ == Phase::kPublished;
  if (begun && request.directory == directory_) return absl::OkStatus();
  if (phase_ != Phase::kSealed) return NotReady("publish");
  directory_ = request.directory;
  progress_ = std::make_shared<PublishProgress>();
  phase_ = Phase::kPublishing;
  publish_due_ = true;
  return absl::OkStatus();
}

void Checkpointer::Abandon(uint64_t attempt) {
  if (alive() && attempt == attempt_) End();
}

absl::Status Checkpointer::Ask(uint64_t attempt, uint64_t now_ms) {
  if (!alive() || attempt != attempt_) {
    return Refuse(RefusalReason::kNoCheckpoint, "checkpoint attempt ", attempt,
                  " is not under way on this shard: it was abandoned, replaced by another one, not "
                  "asked for in time, or the shard was restarted; begin a new one");
  }
  asked_ms_ = std::max(asked_ms_, now_ms);
  return absl::OkStatus();
}

absl::Status Checkpointer::NotReady(std::string_view what) const {
  if (phase_ == Phase::kFailed) {
    return Refuse(RefusalReason::kNoCheckpoint, "cannot ", what, " checkpoint attempt ", attempt_,
                  ": it failed: ", failure_);
  }
  return Refuse(RefusalReason::kNoCheckpoint, "cannot ", what, " checkpoint attempt ", attempt_,
                ": it is ", kPhaseNames[static_cast<size_t>(phase_)]);
}

void Checkpointer::ExpireAt(uint64_t now_ms) {
  if (alive() && now_ms > asked_ms_ && now_ms - asked_ms_ > timeout_ms_) End();
}

void Checkpointer::OnStop() { End(); }

// Every attempt begins on all shards before any mark of it is announced, so a mark that comes while
// the image is not whole is another attempt's, and rows marked so may be in the image.
void Checkpointer::OnAnnounced(Mark mark) {
  switch (phase_) {
    case Phase::kPrepared:
    case Phase::kMarked:
    case Phase::kSealing:
    case Phase::kSealed:
      break;
    default:
      return;
  }
  if (mark <= std::max(image_mark_, mark_)) return;
  mark_ = mark;
  phase_ = Phase::kMarked;
}

void Checkpointer::OnAsked(Mark mark) {
  if (phase_ != Phase::kPrepared || mark > image_mark_) return;
  Fail(absl::AbortedError(StrCat("mark ", mark.value(), " cannot be this checkpoint's: mark ",
                                 image_mark_.value(),
                                 " was announced before the image was whole; begin a new one")));
}

void Checkpointer::OnFlushBegun() {
  if (phase_ == Phase::kToFlush) phase_ = Phase::kFlushing;
}

void Checkpointer::OnFlushFinished() {
  if (phase_ != Phase::kFlushing) return;
  phase_ = Phase::kFreezing;
  freeze_due_ = true;
}

void Checkpointer::OnFlushFailed(const absl::Status& status) {
  if (phase_ == Phase::kToFlush || phase_ == Phase::kFlushing) Fail(status);
}

void Checkpointer::OnAllClosed(Lsn last_lsn, std::vector<CheckpointPart> parts_of_left) {
  if (phase_ != Phase::kMarked) return;
  cut_ = last_lsn;
  parts_of_left_ = std::move(parts_of_left);
  phase_ = Phase::kSealing;
}

std::optional<Lsn> Checkpointer::SyncWanted() const {
  return phase_ == Phase::kSealing ? std::optional(cut_) : std::nullopt;
}

void Checkpointer::OnSynced(Lsn synced) {
  if (phase_ == Phase::kSealing && synced >= cut_) phase_ = Phase::kSealed;
}

std::optional<CheckpointJob> Checkpointer::NextJob() {
  if (job_.has_value()) return std::nullopt;
  CheckpointJob job;
  if (!to_drop_.empty()) {
    job.kind = CheckpointJob::Kind::kDrop;
    job.attempt = to_drop_.back();
    to_drop_.pop_back();
  } else if (std::exchange(freeze_due_, false)) {
    job.kind = CheckpointJob::Kind::kFreeze;
    job.attempt = attempt_;
  } else if (std::exchange(publish_due_, false)) {
    job = {CheckpointJob::Kind::kPublish, attempt_, directory_, watermark_, cut_, progress_};
  } else {
    return std::nullopt;
  }
  job_ = job.kind;
  job_attempt_ = job.attempt;
  return job;
}

void Checkpointer::OnJobDone(const CheckpointOutcome& outcome, Mark announced, Lsn watermark) {
  const CheckpointJob::Kind kind = *std::exchange(job_, std::nullopt);
  if (kind == CheckpointJob::Kind::kDrop) return;  // what stays is removed at the next start
  const bool wanted = kind == CheckpointJob::Kind::kFreeze
                          ? phase_ == Phase::kFreezing && !freeze_due_
                          : phase_ == Phase::kPublishing && !publish_due_;
  if (!wanted || job_attempt_ != attempt_) {
    to_drop_.push_back(job_attempt_);
    return;
  }
  if (!outcome.status.ok()) {
    Fail(outcome.status);
  } else if (kind == CheckpointJob::Kind::kFreeze) {
    OnFrozen(announced, watermark);
  } else {
    files_ = outcome.files;
    DropImage();
    phase_ = Phase::kPublished;
  }
}

void Checkpointer::OnFrozen(Mark announced, Lsn watermark) {
  image_mark_ = announced;
  watermark_ = watermark;
  phase_ = Phase::kPrepared;
}

Lsn Checkpointer::TrimBound(Lsn watermark) const {
  switch (phase_) {
    case Phase::kPrepared:
    case Phase::kMarked:
    case Phase::kSealing:
    case Phase::kSealed:
    case Phase::kPublishing:
      return std::min(watermark, watermark_);
    default:
      return watermark;
  }
}

void Checkpointer::Fail(const absl::Status& status) {
  DropImage();
  failure_ = std::string(status.message());
  phase_ = Phase::kFailed;
}

void Checkpointer::End() {
  DropImage();
  phase_ = Phase::kNone;
  attempt_ = 0;
  failure_.clear();
  mark_ = image_mark_ = Mark(0);
  watermark_ = cut_ = Lsn(0);
  parts_of_left_.clear();
  files_.clear();
  directory_.clear();
  progress_.reset();
}

// A job that works on the image drops it when it is done.
void Checkpointer::DropImage() {
  freeze_due_ = publish_due_ = false;
  if (progress_ != nullptr) progress_->cancelled = true;
  if (job_.has_value() && *job_ != CheckpointJob::Kind::kDrop && job_attempt_ == attempt_) return;
  if (phase_ >= Phase::kFreezing && phase_ < Phase::kPublished) to_drop_.push_back(attempt_);
}

CheckpointPhase Checkpointer::WirePhase() const {
  switch (phase_) {
    case Phase::kNone:
    case Phase::kToFlush:
    case Phase::kFlushing:
    case Phase::kFreezing:
      return CheckpointPhase::kFlushing;
    case Phase::kPrepared:
      return CheckpointPhase::kPrepared;
    case Phase::kMarked:
    case Phase::kSealing:
      return CheckpointPhase::kMarked;
    case Phase::kSealed:
      return CheckpointPhase::kSealed;
    case Phase::kPublishing:
      return CheckpointPhase::kPublishing;
    case Phase::kPublished:
      return CheckpointPhase::kPublished;
    case Phase::kFailed:
      return CheckpointPhase::kFailed;
  }
  return CheckpointPhase::kFailed;
}

CheckpointStatusAnswer Checkpointer::Status() const {
  CheckpointStatusAnswer answer;
  answer.phase = WirePhase();
  answer.failure = failure_;
  answer.watermark = watermark_;
  answer.cut = cut_;
  answer.parts_of_left = parts_of_left_;
  answer.files = files_;
  if (progress_ != nullptr) {
    answer.bytes_done = progress_->bytes_done;
    answer.bytes_total = progress_->bytes_total;
  }
  return answer;
}

}  // namespace rowhouse

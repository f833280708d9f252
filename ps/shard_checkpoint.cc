// The part of Shard that takes part in checkpoints; the rules are the Checkpointer's.
#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "common/wire/archive.h"
#include "common/wire/checkpoint.h"
#include "common/wire/frame_builder.h"
#include "ps/shard.h"

namespace rowhouse {
namespace {

constexpr size_t kUnclosedToldMax = 1000;
// A flushed row is written about twice, once when it is flushed and once when files are merged; the
// log that it would save is there already, and read once.
constexpr uint64_t kFlushedRowWrites = 2;

}  // namespace

absl::Status Shard::HandleAnnounceMark(SessionId session, const ReceivedFrame& frame,
                                       uint64_t now_ms, Effects* effects) {
  ASSIGN_OR_RETURN(const AnnounceMark request, DecodeControl<AnnounceMark>(frame.body));
  RETURN_IF_ERROR(CheckMark(request.mark));
  if (request.mark > announced_) RETURN_IF_ERROR(CheckLogAccepts());
  RaiseMark(request.mark, now_ms);
  checkpointer_.OnAsked(request.mark);
  AnswerDone(session, frame, Op::kAnnounceMarkAnswer, effects);
  return absl::OkStatus();
}

absl::Status Shard::HandlePrepareCheckpoint(SessionId session, const ReceivedFrame& frame,
                                            uint64_t now_ms, Effects* effects) {
  ASSIGN_OR_RETURN(const PrepareCheckpoint request, DecodeControl<PrepareCheckpoint>(frame.body));
  checkpointer_.Prepare(request.attempt, now_ms, FlushForImage());
  AnswerDone(session, frame, Op::kPrepareCheckpointAnswer, effects);
  return absl::OkStatus();
}

ImageFlush Shard::FlushForImage() const {
  if (flusher_.running()) return ImageFlush::kRunning;
  const uint64_t log_bytes = log_.appended_bytes() - flushed_log_bytes_;
  return log_bytes > kFlushedRowWrites * DirtyBytes() ? ImageFlush::kOwn : ImageFlush::kNone;
}

absl::Status Shard::HandleCheckpointStatus(SessionId session, const ReceivedFrame& frame,
                                           uint64_t now_ms, Effects* effects) {
  ASSIGN_OR_RETURN(const CheckpointStatus request, DecodeControl<CheckpointStatus>(frame.body));
  RETURN_IF_ERROR(checkpointer_.Ask(request.attempt, now_ms));
  CheckpointStatusAnswer answer = checkpointer_.Status();
  answer.mark = announced_;
  if (checkpointer_.WaitsForClients()) {
    answer.unclosed = clients_.Unclosed(checkpointer_.mark(), now_ms, kUnclosedToldMax);
    // Nobody could be heard while the shard did not run.
    for (UnclosedClient& client : answer.unclosed) {
      client.silent_ms = std::min(client.silent_ms, now_ms - std::min(now_ms, first_request_ms_));
    }
  }
  effects->answers.push_back(
      AnswerTo(session, frame,
               MakeControlFrame(Op::kCheckpointStatusAnswer, frame.header.request_id, answer)));
  return absl::OkStatus();
}

absl::Status Shard::HandlePublishCheckpoint(SessionId session, const ReceivedFrame& frame,
                                            uint64_t now_ms, Effects* effects) {
  ASSIGN_OR_RETURN(const PublishCheckpoint request, DecodeControl<PublishCheckpoint>(frame.body));
  RETURN_IF_ERROR(checkpointer_.Publish(request, now_ms));
  AnswerDone(session, frame, Op::kPublishCheckpointAnswer, effects);
  return absl::OkStatus();
}

absl::Status Shard::HandleAbandonCheckpoint(SessionId session, const ReceivedFrame& frame,
                                            Effects* effects) {
  ASSIGN_OR_RETURN(const AbandonCheckpoint request, DecodeControl<AbandonCheckpoint>(frame.body));
  checkpointer_.Abandon(request.attempt);
  AnswerDone(session, frame, Op::kAbandonCheckpointAnswer, effects);
  return absl::OkStatus();
}

void Shard::OnCheckpointDone(const CheckpointOutcome& outcome, Effects* effects) {
  checkpointer_.OnJobDone(outcome, announced_, watermark_);
  Pump(effects);
}

void Shard::PumpCheckpoint(Effects* effects) {
  if (checkpointer_.WaitsForClients() && std::exchange(closing_changed_, false) &&
      clients_.CountUnclosed(checkpointer_.mark()) == 0) {
    checkpointer_.OnAllClosed(log_.last_lsn(), clients_.PartsOfLeft(checkpointer_.mark()));
  }
  if (const std::optional<Lsn> sync = checkpointer_.SyncWanted(); sync.has_value()) {
    log_.RequestSync(*sync);
    checkpointer_.OnSynced(log_.synced());
  }
  const Lsn trim = checkpointer_.TrimBound(watermark_);
  if (trim > trim_requested_) {
    log_.RequestTrim(trim);
    trim_requested_ = trim;
  }
  if (!effects->checkpoint_job.has_value()) effects->checkpoint_job = checkpointer_.NextJob();
}

}  // namespace rowhouse

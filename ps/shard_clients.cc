// The part of Shard that deals with clients: who is open, which marks they have closed, who left.
#include <algorithm>
#include <utility>

#include "common/refusal.h"
#include "common/status_macros.h"
#include "common/wire/archive.h"
#include "common/wire/checkpoint.h"
#include "common/wire/control.h"
#include "common/wire/frame_builder.h"
#include "ps/shard.h"

namespace rowhouse {
namespace {

// Far above any count of checkpoints: whoever names a higher one is broken, and marks never sink.
constexpr Mark kMarkMax{uint64_t{1} << 48};

}  // namespace

absl::Status Shard::HandleQueryClient(SessionId session, const ReceivedFrame& frame,
                                      Effects* effects) {
  ASSIGN_OR_RETURN(const QueryClient request, DecodeControl<QueryClient>(frame.body));
  QueryClientAnswer answer;
  answer.mark = announced_;
  if (const KnownClient* client = clients_.Find(request.client); client != nullptr) {
    answer.incarnation = client->incarnation;
    answer.step = client->step;
  }
  effects->answers.push_back(AnswerTo(
      session, frame, MakeControlFrame(Op::kQueryClientAnswer, frame.header.request_id, answer)));
  return absl::OkStatus();
}

absl::Status Shard::HandleOpenClient(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
                                     Effects* effects) {
  ASSIGN_OR_RETURN(const OpenClient request, DecodeControl<OpenClient>(frame.body));
  RETURN_IF_ERROR(CheckLogAccepts());
  RETURN_IF_ERROR(CheckMark(request.mark));
  ASSIGN_OR_RETURN(const OpenClientRecord record,
                   clients_.MakeOpen(request, announced_, now_ms, limits_.client_retention_ms,
                                     limits_.clients_max));
  RaiseMark(request.mark, now_ms);
  const Lsn lsn = LogServerRecord(RecordType::kOpenClient, EncodeControl(record), now_ms);
  clients_.Apply(record, now_ms);
  closing_changed_ = true;

  ASSIGN_OR_RETURN(KnownClient * client, clients_.FindOpen(request.client, request.incarnation));
  clients_.Heard(client, now_ms);
  const OpenClientAnswer answer{client->window.floor(), client->window.AppliedSequences(),
                                announced_, client->step};
  AnswerWhenDurable(session, frame,
                    MakeControlFrame(Op::kOpenClientAnswer, frame.header.request_id, answer), lsn,
                    kPromised, effects);
  return absl::OkStatus();
}

absl::Status Shard::HandleRenewClient(SessionId session, const ReceivedFrame& frame,
                                      uint64_t now_ms, Effects* effects) {
  ASSIGN_OR_RETURN(const RenewClient request, DecodeControl<RenewClient>(frame.body));
  ASSIGN_OR_RETURN(KnownClient * client, clients_.FindOpen(request.client, request.incarnation));
  clients_.Heard(client, now_ms);
  effects->answers.push_back(
      AnswerTo(session, frame,
               MakeControlFrame(Op::kRenewClientAnswer, frame.header.request_id,
                                RenewClientAnswer{announced_})));
  return absl::OkStatus();
}

absl::Status Shard::HandleCloseMark(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
                                    Effects* effects) {
  ASSIGN_OR_RETURN(const CloseMark request, DecodeControl<CloseMark>(frame.body));
  RETURN_IF_ERROR(CheckMark(request.mark));
  ASSIGN_OR_RETURN(KnownClient * client, clients_.FindOpen(request.client, request.incarnation));
  clients_.Heard(client, now_ms);
  if (client->closed < request.mark) {
    RETURN_IF_ERROR(CheckLogAccepts());
    RaiseMark(request.mark, now_ms);
    LogServerRecord(RecordType::kCloseMark, EncodeControl(request), now_ms);
    clients_.Apply(request, now_ms);
    closing_changed_ = true;
  }
  AnswerDone(session, frame, Op::kCloseMarkAnswer, effects);
  return absl::OkStatus();
}

// Said of an incarnation that is not the one known here it changes nothing, and is no error: the
// client has never opened on this shard, or a higher incarnation has replaced it.
absl::Status Shard::HandleLeaveClient(SessionId session, const ReceivedFrame& frame,
                                      uint64_t now_ms, Effects* effects) {
  ASSIGN_OR_RETURN(const LeaveClient request, DecodeControl<LeaveClient>(frame.body));
  if (clients_.FindOpen(request.client, request.incarnation).ok()) {
    RETURN_IF_ERROR(CheckLogAccepts());
    LogServerRecord(RecordType::kLeaveClient, EncodeControl(request), now_ms);
    clients_.Apply(request, now_ms);
    closing_changed_ = true;
  }
  AnswerDone(session, frame, Op::kLeaveClientAnswer, effects);
  return absl::OkStatus();
}

absl::StatusOr<KnownClient*> Shard::AdmitPush(const PushHeader& header,
                                              std::optional<Lsn>* applied) {
  ASSIGN_OR_RETURN(KnownClient * client, clients_.FindOpen(header.client, header.incarnation));
  const PartId part{header.sequence, header.first_shard};
  *applied = client->window.Find(part);
  if (applied->has_value()) return client;
  RETURN_IF_ERROR(client->window.CheckNew(part, header.unretried_below, limits_.dedup_entries_max));
  RETURN_IF_ERROR(CheckMark(header.mark));
  if (MarkOf(header) < client->closed) {
    return Refuse(RefusalReason::kStaleMark, "push ", header.sequence.value(), " bears mark ",
                  header.mark.value(),
                  "; the client has said that all its pushes marked less than ",
                  client->closed.value(), " were acknowledged");
  }
  RETURN_IF_ERROR(CheckLogAccepts());
  return client;
}

// A push outside a job names no mark: it bears the shard's.
Mark Shard::MarkOf(const PushHeader& header) const {
  return header.mark == Mark(0) ? announced_ : header.mark;
}

LoggedPush Shard::DescribePush(const PushHeader& header, Lsn lsn, uint64_t arrival_ms) const {
  return {header.client,
          header.incarnation,
          {header.sequence, header.first_shard},
          {lsn, header.step, MarkOf(header), header.part_count},
          header.unretried_below,
          arrival_ms};
}

absl::Status Shard::CheckMark(Mark mark) const {
  if (mark <= kMarkMax) return absl::OkStatus();
  return Refuse(RefusalReason::kMalformed, "checkpoint mark ", mark.value(),
                " is beyond any that can have been announced; ", announced_.value(), " was");
}

void Shard::RaiseMark(Mark mark, uint64_t now_ms) {
  if (mark <= announced_) return;
  LogServerRecord(RecordType::kAnnounceMark, EncodeControl(AnnounceMark{mark}), now_ms);
  announced_ = mark;
  checkpointer_.OnAnnounced(mark);
  closing_changed_ = true;
}

// Answered when everything that it may stand on is written, also where a repeated request has
// changed nothing.
void Shard::AnswerDone(SessionId session, const ReceivedFrame& request, Op op, Effects* effects) {
  AnswerWhenDurable(session, request,
                    MakeControlFrame(op, request.header.request_id, Done{announced_}),
                    log_.last_lsn(), Durability::kLog, effects);
}

}  // namespace rowhouse

#include "ps/shard.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "common/refusal.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/archive.h"
#include "common/wire/control.h"
#include "common/wire/frame_builder.h"
#include "ps/apply.h"

namespace rowhouse {
namespace {

constexpr Generation kFirstGeneration{1};

uint64_t PullAnswerBytes(const PullView& pull) {
  return sizeof(PullAnswerHeader) + pull.float_count() * sizeof(float);
}

OutFrame PushAnswerFrame(uint64_t request_id, const PushAnswer& answer, FramePool* frames) {
  FrameBuilder frame(sizeof(answer), frames);
  std::memcpy(frame.body().data(), &answer, sizeof(answer));
  return std::move(frame).Finish(Op::kPushAnswer, request_id);
}

// What is copied for a file is part of the memory budget.
uint64_t FlushFileBytes(const ShardLimits& limits) {
  if (limits.memory_bytes_max == 0) return std::numeric_limits<uint64_t>::max();
  return limits.memory_bytes_max / 8;
}

// So is what is noted of changed rows: more rounds where the budget is small.
uint32_t FlushRoundRows(const ShardLimits& limits) {
  constexpr uint64_t kRowsMin = 1024;
  constexpr uint64_t kRowsMax = 1 << 20;
  if (limits.memory_bytes_max == 0) return kRowsMax;
  const uint64_t rows = limits.memory_bytes_max / 64 / DirtyRows::kRowBytes;
  return static_cast<uint32_t>(std::clamp(rows, kRowsMin, kRowsMax));
}

}  // namespace

Shard::Shard(ShardIdentity identity, ShardLimits limits, AdagradKernel kernel,
             RefusalCounters* counters)
    : identity_(identity),
      limits_(limits),
      kernel_(kernel),
      counters_(counters),
      map_(identity.shard_count),
      flusher_({.step_rows = limits.flush_step_rows,
                .file_rows = limits.flush_file_rows,
                .round_rows = FlushRoundRows(limits),
                .file_bytes = FlushFileBytes(limits)},
               &tables_, [this](Lsn watermark) { return Bookkeeping(watermark); }),
      checkpointer_(limits.checkpoint_timeout_ms),
      frames_(limits.frame_bytes_max),
      residency_({limits.read_job_keys, limits.read_jobs_max}),
      evictor_(&tables_, &residency_) {}

void Shard::Started(Lsn next, uint64_t log_bytes) {
  log_.Start(next, log_bytes);
  log_bytes_ = log_bytes;
  trim_requested_ = watermark_;
  if (budgeted()) EvictAtStart();
}

void Shard::OnRequest(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
                      Effects* effects) {
  if (first_request_ms_ == 0) first_request_ms_ = now_ms;
  checkpointer_.ExpireAt(now_ms);
  // That a client is alive does not wait for its rows.
  if (waiting_.Has(session) && !stopping_ && frame.op() != Op::kRenewClient) {
    waiting_.Add(session, frame, now_ms);
    return Pump(effects);
  }
  const absl::Status status = stopping_ ? Refuse(RefusalReason::kStopping, "the server is stopping")
                                        : Dispatch(session, frame, now_ms, effects);
  if (!status.ok()) RefuseRequest(session, frame, status, effects);
  Pump(effects);
}

void Shard::RefuseRequest(SessionId session, const ReceivedFrame& frame, const absl::Status& status,
                          Effects* effects) {
  counters_->Count(status);
  Answer answer = AnswerTo(session, frame, MakeErrorFrame(frame.header.request_id, status));
  answer.ends_session = IsRetryable(status);
  effects->answers.push_back(std::move(answer));
}

absl::Status Shard::Dispatch(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
                             Effects* effects) {
  switch (frame.op()) {
    case Op::kPull:
      return HandlePull(session, frame, effects);
    case Op::kPush:
      return HandlePush(session, frame, now_ms, effects);
    case Op::kCreateTable:
      return HandleCreateTable(session, frame, now_ms, effects);
    case Op::kQueryClient:
      return HandleQueryClient(session, frame, effects);
    case Op::kOpenClient:
      return HandleOpenClient(session, frame, now_ms, effects);
    case Op::kStats:
      return HandleStats(session, frame, effects);
    case Op::kRenewClient:
      return HandleRenewClient(session, frame, now_ms, effects);
    case Op::kCloseMark:
      return HandleCloseMark(session, frame, now_ms, effects);
    case Op::kLeaveClient:
      return HandleLeaveClient(session, frame, now_ms, effects);
    case Op::kAnnounceMark:
      return HandleAnnounceMark(session, frame, now_ms, effects);
    case Op::kPrepareCheckpoint:
      return HandlePrepareCheckpoint(session, frame, now_ms, effects);
    case Op::kCheckpointStatus:
      return HandleCheckpointStatus(session, frame, now_ms, effects);
    case Op::kPublishCheckpoint:
      return HandlePublishCheckpoint(session, frame, now_ms, effects);
    case Op::kAbandonCheckpoint:
      return HandleAbandonCheckpoint(session, frame, effects);
    default:
      return Refuse(RefusalReason::kUnknownOp, "operation ", frame.header.op,
                    " is not known to this server");
  }
}

absl::Status Shard::HandlePull(SessionId session, const ReceivedFrame& frame, Effects* effects) {
  ASSIGN_OR_RETURN(const PullView pull, PullView::Parse(frame.body, limits_.keys_per_request_max));
  PerSection<TableRows*> tables;
  RETURN_IF_ERROR(CheckPull(pull, &tables));
  if (budgeted()) {
    std::vector<RowsOfTable> rows = RowsOf(pull, tables);
    if (MustRead(rows)) {
      Wait(session, frame, 0, std::move(rows), Durability::kMemory);
      return absl::OkStatus();
    }
  }
  AnswerPull(session, frame, pull, tables, effects);
  return absl::OkStatus();
}

absl::Status Shard::CheckPull(const PullView& pull, PerSection<TableRows*>* tables) const {
  RETURN_IF_ERROR(CheckEpoch(pull.header().epoch));
  const uint64_t body_bytes = PullAnswerBytes(pull);
  if (FrameBytes(body_bytes) > limits_.frame_bytes_max) {
    return Refuse(RefusalReason::kFrameTooLarge, "the answer to this pull would have ", body_bytes,
                  " bytes; frame_bytes_max is ", limits_.frame_bytes_max, ": pull fewer rows");
  }
  for (uint32_t i = 0; i < pull.section_count(); ++i) {
    const PullSection section = pull.section(i);
    ASSIGN_OR_RETURN(TableRows * table, tables_.Resolve(section.header));
    RETURN_IF_ERROR(CheckOwned(*table, section.keys, map_, identity_.shard));
    tables->push_back(table);
  }
  return absl::OkStatus();
}

void Shard::AnswerPull(SessionId session, const ReceivedFrame& frame, const PullView& pull,
                       std::span<TableRows* const> tables, Effects* effects) {
  FrameBuilder answer(PullAnswerBytes(pull), &frames_);
  PullAnswerHeader header{log_.last_lsn(), announced_, static_cast<uint32_t>(pull.row_count()), 0};
  std::memcpy(answer.body().data(), &header, sizeof(header));
  StreamChecksum checksum;
  checksum.Add(answer.body().first(sizeof(header)));
  auto* out = reinterpret_cast<float*>(answer.body().data() + sizeof(header));
  for (uint32_t i = 0; i < pull.section_count(); ++i) {
    const PullSection section = pull.section(i);
    tables[i]->Gather(section.keys, out, [&checksum](std::span<const float> part) {
      checksum.Add(std::as_bytes(part));
    });
    out += section.keys.size() * section.header.dim;
  }
  ++pulls_;
  rows_pulled_ += pull.row_count();
  effects->answers.push_back(AnswerTo(
      session, frame,
      std::move(answer).Finish(Op::kPullAnswer, frame.header.request_id, checksum.value())));
}

absl::Status Shard::HandlePush(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
                               Effects* effects) {
  ASSIGN_OR_RETURN(const PushView push, PushView::Parse(frame.body, limits_.keys_per_request_max));
  const PushHeader& header = push.header();
  RETURN_IF_ERROR(CheckPushHeader(header));
  CheckedPush checked;
  RETURN_IF_ERROR(CheckPush(push, &checked));
  std::optional<Lsn> applied;
  ASSIGN_OR_RETURN(KnownClient * client, AdmitPush(header, &applied));
  if (budgeted() && !applied.has_value()) {
    RETURN_IF_ERROR(CheckMemoryAccepts());
    std::vector<RowsOfTable> rows = RowsOf(push, checked.tables);
    if (MustRead(rows)) {
      Wait(session, frame, now_ms, std::move(rows), checked.durability);
      return absl::OkStatus();
    }
  }
  FinishPush(session, frame, push, checked, client, applied, now_ms, effects);
  return absl::OkStatus();
}

void Shard::FinishPush(SessionId session, const ReceivedFrame& frame, const PushView& push,
                       const CheckedPush& checked, KnownClient* client, std::optional<Lsn> applied,
                       uint64_t now_ms, Effects* effects) {
  clients_.Heard(client, now_ms);
  const Lsn lsn = applied.has_value() ? *applied : ApplyPush(push, frame, checked, now_ms, effects);
  duplicate_pushes_ += applied.has_value();
  const PushAnswer answer{lsn, announced_, applied.has_value() ? 1u : 0u, 0};
  AnswerWhenDurable(session, frame, PushAnswerFrame(frame.header.request_id, answer, &frames_), lsn,
                    checked.durability, effects);
}

absl::Status Shard::CheckEpoch(Epoch epoch) const {
  if (epoch == map_.epoch()) return absl::OkStatus();
  return Refuse(RefusalReason::kStaleEpoch, "slot map epoch is ", map_.epoch().value(),
                " on the server, ", epoch.value(), " in this request");
}

absl::Status Shard::CheckLogAccepts() const {
  if (!log_.failing()) return absl::OkStatus();
  return Refuse(RefusalReason::kLogUnavailable, "the push log cannot be written at the moment (",
                log_.failure(), "); nothing was done: retry later. Pulls go on");
}

absl::Status Shard::CheckPushHeader(const PushHeader& header) const {
  RETURN_IF_ERROR(CheckEpoch(header.epoch));
  if (header.step == Step(0)) {
    return Refuse(RefusalReason::kBadStep, "push: step is 0; optimizer steps count from 1");
  }
  if (header.sequence == Sequence(0) || header.unretried_below > header.sequence) {
    return Refuse(RefusalReason::kMalformed, "push: sequence ", header.sequence.value(),
                  " must be at least 1 and at least unretried_below, ",
                  header.unretried_below.value());
  }
  if (header.first_shard.value() >= identity_.shard_count) {
    return Refuse(RefusalReason::kMalformed, "push: first_shard is ", header.first_shard.value(),
                  "; the cluster has ", identity_.shard_count, " shards");
  }
  return absl::OkStatus();
}

absl::Status Shard::CheckPush(const PushView& push, CheckedPush* checked) {
  for (uint32_t i = 0; i < push.section_count(); ++i) {
    const PushSection section = push.section(i);
    ASSIGN_OR_RETURN(TableRows * table, tables_.Resolve(section.header));
    RETURN_IF_ERROR(CheckOwned(*table, section.keys, map_, identity_.shard));
    RETURN_IF_ERROR(duplicates_.Check(*table, section.keys));
    RETURN_IF_ERROR(CheckGradients(*table, section));
    checked->tables.push_back(table);
    checked->durability = std::max(checked->durability, table->spec().durability);
  }
  return absl::OkStatus();
}

// Log, then apply: the record is in the bounded buffer before the first row changes, and on its way
// to the disk meanwhile.
Lsn Shard::ApplyPush(const PushView& push, const ReceivedFrame& frame, const CheckedPush& checked,
                     uint64_t now_ms, Effects* effects) noexcept {
  RaiseMark(push.header().mark, now_ms);
  PerSection<float> rates;
  for (const TableRows* table : checked.tables) {
    rates.push_back(EffectiveLearningRate(table->spec().adagrad, push.header().step));
  }
  const auto prefix = std::as_bytes(std::span<const float>(rates));
  LogRecord record;
  record.type = RecordType::kPush;
  record.arrival_ms = now_ms;
  record.prefix.assign(prefix.begin(), prefix.end());
  record.body = frame.body;
  record.body_checksum = frame.header.body_checksum;
  record.owner = frame.owner;
  const Lsn lsn = log_.Append(std::move(record), checked.durability);
  PumpLog(effects);

  if (budgeted()) residency_.BeforePush(RowsOf(push, checked.tables));
  for (uint32_t i = 0; i < push.section_count(); ++i) {
    ApplySection(*checked.tables[i], push.section(i), rates[i], lsn, kernel_);
    Mapping ahead = checked.tables[i]->MapAhead();
    if (ahead.memory != nullptr) effects->memory_ahead.push_back(std::move(ahead));
  }
  clients_.AddPush(DescribePush(push.header(), lsn, now_ms));
  ++pushes_;
  rows_pushed_ += push.row_count();
  return lsn;
}

absl::Status Shard::HandleCreateTable(SessionId session, const ReceivedFrame& frame,
                                      uint64_t now_ms, Effects* effects) {
  ASSIGN_OR_RETURN(const CreateTable request, DecodeControl<CreateTable>(frame.body));
  ASSIGN_OR_RETURN(TableRows * table, tables_.Check(request.spec, limits_.tables_max));
  if (table == nullptr) {
    RETURN_IF_ERROR(CheckLogAccepts());
    const TableRecord record{request.spec, kFirstGeneration};
    last_create_ = LogServerRecord(RecordType::kCreateTable, EncodeControl(record), now_ms);
    table = tables_.Create(record);
  }
  const CreateTableAnswer answer{table->id(), table->generation()};
  AnswerWhenDurable(session, frame,
                    MakeControlFrame(Op::kCreateTableAnswer, frame.header.request_id, answer),
                    last_create_, kPromised, effects);
  return absl::OkStatus();
}

absl::Status Shard::HandleStats(SessionId session, const ReceivedFrame& frame, Effects* effects) {
  RETURN_IF_ERROR(DecodeControl<Stats>(frame.body).status());
  effects->answers.push_back(AnswerTo(
      session, frame,
      MakeControlFrame(Op::kStatsAnswer, frame.header.request_id, StatsAnswer{Counters()})));
  return absl::OkStatus();
}

// A record that the server made itself; its body lives in the record's owner.
Lsn Shard::LogServerRecord(RecordType type, std::vector<std::byte> body, uint64_t now_ms) {
  auto owner = std::make_shared<std::vector<std::byte>>(std::move(body));
  LogRecord record;
  record.type = type;
  record.arrival_ms = now_ms;
  record.body = *owner;
  record.body_checksum = Checksum(record.body);
  record.owner = std::move(owner);
  return log_.Append(std::move(record), Durability::kLog);
}

Answer Shard::AnswerTo(SessionId session, const ReceivedFrame& request, OutFrame frame) {
  return {session, std::move(frame), FrameBytes(request.header.body_bytes)};
}

void Shard::AnswerWhenDurable(SessionId session, const ReceivedFrame& request, OutFrame frame,
                              Lsn lsn, Durability durability, Effects* effects) {
  Answer answer = AnswerTo(session, request, std::move(frame));
  if (log_.IsDurable(lsn, durability)) {
    effects->answers.push_back(std::move(answer));
  } else {
    log_.Wait(lsn, durability, request.header.request_id, std::move(answer));
  }
}

void Shard::OnLogDone(const LogOutcome& outcome, Effects* effects) {
  log_.Done(outcome, &effects->answers);
  log_bytes_ = outcome.log_bytes;
  log_failed_ = !outcome.status.ok();
  effects->retry |= log_failed_ || !outcome.trim.ok();
  checkpointer_.OnSynced(log_.synced());
  Carry(flusher_.Synced(log_.synced()), effects);
  Pump(effects);
}

void Shard::OnFileDone(const absl::Status& status, Effects* effects) {
  file_failed_ = !status.ok();
  write_failure_ = std::string(status.message());
  effects->retry |= file_failed_;
  evictor_.Renew();
  if (file_failed_) checkpointer_.OnFlushFailed(status);
  Carry(flusher_.FileDone(status), effects);
  Pump(effects);
}

void Shard::OnFlushStep(Effects* effects) {
  step_asked_ = false;
  if (std::exchange(flush_step_due_, false)) Carry(flusher_.Step(log_.last_lsn()), effects);
  Pump(effects);
}

void Shard::OnRetry(Effects* effects) {
  log_failed_ = false;
  log_.RetryTrim();
  if (std::exchange(file_failed_, false)) Carry(flusher_.Retry(), effects);
  Pump(effects);
}

void Shard::OnLogDelay(Effects* effects) {
  log_delay_asked_ = false;
  log_.RequestWrite();
  Pump(effects);
}

void Shard::OnLull(Effects* effects) {
  lull_asked_ = false;
  is_lull_ = log_.last_lsn() == lull_lsn_;
  Pump(effects);
  is_lull_ = false;
}

// Asks once in flush_lull_ms at most, and only where a flush may come of it.
void Shard::WatchForLull(Effects* effects) {
  if (lull_asked_ || stopping_ || limits_.flush_lull_ms == 0 || flusher_.running()) return;
  if (UnflushedLogBytes() <= limits_.flush_log_bytes) return;
  lull_lsn_ = log_.last_lsn();
  effects->lull = lull_asked_ = true;
}

void Shard::OnStop(Effects* effects) {
  stopping_ = true;
  checkpointer_.OnStop();
  Pump(effects);
}

void Shard::Carry(Flusher::Next next, Effects* effects) {
  switch (next) {
    case Flusher::Next::kNothing:
      break;
    case Flusher::Next::kStep:
      flush_step_due_ = true;
      break;
    case Flusher::Next::kSync:
      log_.RequestSync(flusher_.sync_lsn());
      if (log_.synced() >= flusher_.sync_lsn()) Carry(flusher_.Synced(log_.synced()), effects);
      break;
    case Flusher::Next::kFile:
      effects->file_job = flusher_.job();
      break;
    case Flusher::Next::kFinished:
      watermark_ = flusher_.watermark();
      checkpointer_.OnFlushFinished();
      ++flushes_;
      break;
  }
}

bool Shard::FlushDue() const {
  if (checkpointer_.HoldsFlush()) return false;
  if (checkpointer_.WantsFlush()) return true;
  if (watermark_ == log_.last_lsn()) return false;
  return stopping_ || LogFlushDue() || (budgeted() && MemoryFlushDue());
}

bool Shard::LogFlushDue() const {
  const uint64_t log_bytes = UnflushedLogBytes();
  if (log_bytes <= limits_.flush_log_bytes) return false;
  if (budgeted() || is_lull_ || log_bytes > limits_.flush_log_bytes_max) return true;
  return log_bytes > limits_.flush_log_ratio * DirtyBytes();
}

void Shard::Pump(Effects* effects) {
  if (budgeted()) PumpBudget(effects);
  if (!flusher_.running() && FlushDue()) {
    flushed_log_bytes_ = log_.appended_bytes();
    flush_mark_ = announced_;
    checkpointer_.OnFlushBegun();
    Carry(flusher_.Begin(log_.last_lsn()), effects);
  }
  WatchForLull(effects);
  PumpCheckpoint(effects);
  PumpLog(effects);
  if ((flush_step_due_ || evict_step_due_) && !step_asked_) {
    effects->flush_step = step_asked_ = true;
  }
  effects->stopped |= stopping_ && waiting_.size() == 0 && log_.idle() && !flusher_.running() &&
                      !FlushDue() && checkpointer_.idle();
}

void Shard::PumpLog(Effects* effects) {
  if (log_failed_ || effects->log_job.has_value()) return;
  if (stopping_ || limits_.log_delay_ms == 0) log_.RequestWrite();
  std::optional<LogJob> job = log_.NextJob();
  if (job.has_value() && effects->begin_log) {
    effects->begin_log(*job);
  } else {
    effects->log_job = job;
  }
  if (log_.gathering() && !log_delay_asked_) effects->log_delay = log_delay_asked_ = true;
}

std::vector<Counter> Shard::Counters() const {
  uint64_t rows = 0;
  uint64_t resident_bytes = 0;
  for (const auto& table : tables_.all()) {
    rows += table->row_count();
    resident_bytes += table->resident_bytes();
  }
  std::vector<Counter> counters = {{"pulls", pulls_},
                                   {"pushes", pushes_},
                                   {"duplicate_pushes", duplicate_pushes_},
                                   {"rows_pulled", rows_pulled_},
                                   {"rows_pushed", rows_pushed_},
                                   {"rows", rows},
                                   {"rows_resident_bytes", resident_bytes},
                                   {"row_misses", residency_.misses()},
                                   {"rows_evicted", evictor_.evicted()},
                                   {"disk_memory_bytes", disk_memory_bytes_},
                                   {"read_jobs", residency_.jobs()},
                                   {"waiting_requests", waiting_.size()},
                                   {"tables", tables_.all().size()},
                                   {"clients", clients_.size()},
                                   {"connections", connections_},
                                   {"connections_unix", connections_unix_},
                                   {"last_lsn", log_.last_lsn().value()},
                                   {"watermark", watermark_.value()},
                                   {"log_bytes", log_bytes_},
                                   {"log_buffered_bytes", log_.buffered_bytes()},
                                   {"flushes", flushes_}};
  event_times_.AppendTo(&counters);
  counters_->AppendTo(&counters);
  return counters;
}

}  // namespace rowhouse

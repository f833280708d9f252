// The part of Shard that a memory budget brings along: requests that wait for rows to be read, the
// flush and the eviction that keep memory below the budget, and the start of a shard whose rows do
// not all fit.
#include <algorithm>
#include <limits>
#include <utility>

#include "common/refusal.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "ps/shard.h"
#include "storage/row_codec.h"

namespace rowhouse {
namespace {

absl::Status ReadRefusal(const absl::Status& status) {
  return Refuse(RefusalReason::kDiskUnavailable,
                "rows that this request names cannot be read: ", std::string(status.message()),
                "; nothing of it was done, rows in memory are served on");
}

}  // namespace

template <typename View>
std::vector<RowsOfTable> Shard::RowsOf(const View& view, std::span<TableRows* const> tables) {
  std::vector<RowsOfTable> rows;
  rows.reserve(tables.size());
  for (uint32_t i = 0; i < tables.size(); ++i) rows.push_back({tables[i], view.section(i).keys});
  return rows;
}
template std::vector<RowsOfTable> Shard::RowsOf(const PullView&, std::span<TableRows* const>);
template std::vector<RowsOfTable> Shard::RowsOf(const PushView&, std::span<TableRows* const>);

// While rows cannot be written, pushes would fill memory with what must not be dropped.
absl::Status Shard::CheckMemoryAccepts() const {
  if (write_failure_.empty() || used_bytes_ <= limits_.memory_bytes_max) return absl::OkStatus();
  return Refuse(RefusalReason::kDiskUnavailable,
                "the memory budget is used up by changed rows, which cannot be written at the "
                "moment: ",
                write_failure_, "; pulls go on");
}

void Shard::Wait(SessionId session, const ReceivedFrame& frame, uint64_t now_ms,
                 std::vector<RowsOfTable> rows, Durability durability) {
  WaitingRequest* const request = waiting_.Add(session, frame, now_ms);
  request->rows = std::move(rows);
  request->durability = durability;
}

// Everything that can be refused before rows are loaded. A retry of an applied push needs none.
absl::Status Shard::CheckWaiting(WaitingRequest* request, bool* duplicate) {
  if (request->frame.op() == Op::kPull) {
    ASSIGN_OR_RETURN(const PullView pull,
                     PullView::Parse(request->frame.body, limits_.keys_per_request_max));
    PerSection<TableRows*> tables;
    RETURN_IF_ERROR(CheckPull(pull, &tables));
    request->rows = RowsOf(pull, tables);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const PushView push,
                   PushView::Parse(request->frame.body, limits_.keys_per_request_max));
  RETURN_IF_ERROR(CheckPushHeader(push.header()));
  CheckedPush checked;
  RETURN_IF_ERROR(CheckPush(push, &checked));
  request->rows = RowsOf(push, checked.tables);
  request->durability = checked.durability;
  std::optional<Lsn> applied;
  RETURN_IF_ERROR(AdmitPush(push.header(), &applied).status());
  *duplicate = applied.has_value();
  return absl::OkStatus();
}

void Shard::BeginWaiting(WaitingRequest* request) {
  request->begun = true;
  bool duplicate = false;
  if (request->rows.empty()) request->failure = CheckWaiting(request, &duplicate);
  if (request->failure.ok() && !duplicate) PinWaiting(request);
}

void Shard::PinWaiting(WaitingRequest* request) {
  const Residency::Pin pin = residency_.Begin(request->rows, request->id);
  request->pin = pin.id;
  request->loads = pin.loads;
}

// As many as may pin a quarter of the budget; one in any case, so that there is always progress.
void Shard::BeginWhatFits(Effects* effects) {
  while (residency_.pinned_bytes() < std::max<uint64_t>(1, limits_.memory_bytes_max / 4) &&
         residency_.CanBegin()) {
    WaitingRequest* const request = waiting_.NextToBegin();
    if (request == nullptr) return;
    const SessionId session = request->session;
    BeginWaiting(request);
    SettleSession(session, effects);
  }
}

void Shard::SettleSession(SessionId session, Effects* effects) {
  for (WaitingRequest* first; (first = waiting_.First(session)) != nullptr && first->ready();) {
    bool must_pin = false;
    const absl::Status status = DoWaiting(*first, &must_pin, effects);
    if (must_pin && status.ok()) {
      PinWaiting(first);
      continue;
    }
    const std::unique_ptr<WaitingRequest> done = TakeFirst(session);
    if (status.ok()) continue;
    RefuseRequest(session, done->frame, status, effects);
    if (IsRetryable(status)) RefuseRest(session, status, effects);
  }
}

// What may have changed since the request was checked is checked again: the dedup window and the
// log. must_pin: it was a retry of an applied push when it was begun, and is not any more.
absl::Status Shard::DoWaiting(const WaitingRequest& request, bool* must_pin, Effects* effects) {
  RETURN_IF_ERROR(request.failure);
  const ReceivedFrame& frame = request.frame;
  if (!NamesRows(frame.op())) return Dispatch(request.session, frame, request.arrival_ms, effects);
  CheckedPush checked;
  checked.durability = request.durability;
  for (const RowsOfTable& rows : request.rows) checked.tables.push_back(rows.table);
  if (frame.op() == Op::kPull) {
    ASSIGN_OR_RETURN(const PullView pull,
                     PullView::Parse(frame.body, limits_.keys_per_request_max));
    AnswerPull(request.session, frame, pull, checked.tables, effects);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const PushView push, PushView::Parse(frame.body, limits_.keys_per_request_max));
  std::optional<Lsn> applied;
  ASSIGN_OR_RETURN(KnownClient * client, AdmitPush(push.header(), &applied));
  if (!applied.has_value()) RETURN_IF_ERROR(CheckMemoryAccepts());
  *must_pin = !applied.has_value() && request.pin == 0;
  if (*must_pin && !residency_.CanBegin()) {
    return Refuse(RefusalReason::kOverloaded, "too many requests wait for rows to be read");
  }
  if (*must_pin) return absl::OkStatus();
  FinishPush(request.session, frame, push, checked, client, applied, request.arrival_ms, effects);
  return absl::OkStatus();
}

// What was sent behind a request that is to be sent again must not take effect before it.
void Shard::RefuseRest(SessionId session, const absl::Status& status, Effects* effects) {
  while (waiting_.Has(session)) {
    const std::unique_ptr<WaitingRequest> request = TakeFirst(session);
    RefuseRequest(session, request->frame, status, effects);
  }
}

std::unique_ptr<WaitingRequest> Shard::TakeFirst(SessionId session) {
  std::unique_ptr<WaitingRequest> request = waiting_.TakeFirst(session);
  if (request->pin != 0) residency_.End(request->pin);
  evictor_.Renew();
  return request;
}

void Shard::OnRowsRead(const ReadOutcome& outcome, Effects* effects) {
  std::vector<Residency::Arrival> arrivals;
  residency_.Done(outcome, &arrivals);
  evictor_.Renew();
  for (const Residency::Arrival& arrival : arrivals) {
    WaitingRequest* const request = waiting_.Find(arrival.waiter);
    if (request == nullptr) continue;  // refused or dropped meanwhile
    --request->loads;
    if (!arrival.status.ok()) request->failure = ReadRefusal(arrival.status);
    if (request->ready()) SettleSession(request->session, effects);
  }
  Pump(effects);
}

void Shard::OnSessionClosed(SessionId session, Effects* effects) {
  if (!waiting_.Has(session)) return;
  while (waiting_.Has(session)) TakeFirst(session);
  Pump(effects);
}

uint64_t Shard::UsedBytes() const {
  // Rows keep half of the budget whatever the disk tier needs: without any, every request would
  // wait for the disk.
  uint64_t bytes = std::min(disk_memory_bytes_, limits_.memory_bytes_max / 2);
  bytes += residency_.used_bytes() + flusher_.used_bytes();
  for (const auto& table : tables_.all()) bytes += table->used_bytes();
  return bytes;
}

uint64_t Shard::DirtyBytes() const {
  uint64_t bytes = 0;
  for (const auto& table : tables_.all()) {
    bytes += table->dirty_rows() * table->layout().stride_bytes();
  }
  return bytes;
}

// Changed rows are written before clean ones run out: from a quarter of the budget on.
bool Shard::MemoryFlushDue() const {
  if (BytesToEvict() == 0) return false;
  const uint64_t dirty_bytes = DirtyBytes();
  return dirty_bytes > limits_.memory_bytes_max / 4 || (dirty_bytes > 0 && evictor_.exhausted());
}

// Only while something is under way that will release it.
bool Shard::MemoryCongested() const {
  return held_bytes_ > limits_.memory_bytes_max && write_failure_.empty() &&
         (flusher_.running() || evict_step_due_ || waiting_.size() > 0);
}

// What must go so that all else is within the budget once it is moved together. Many tables may
// have a page each that is filled in part.
uint64_t Shard::BytesToEvict() const {
  const uint64_t used = UsedBytes();
  uint64_t compact = used;
  for (const auto& table : tables_.all()) compact += table->compact_bytes() - table->used_bytes();
  const uint64_t above = used - std::min(used, evict_above_bytes());
  return std::max(above, compact - std::min(compact, limits_.memory_bytes_max));
}

uint64_t Shard::HeldBytes() const {
  uint64_t held = UsedBytes();
  for (const auto& table : tables_.all()) held += table->held_bytes() - table->used_bytes();
  return held;
}

// True where there is more to do.
bool Shard::Evict(uint64_t rows_max) {
  if (const uint64_t bytes = BytesToEvict(); bytes > 0) {
    evictor_.Run(bytes, rows_max, flusher_.file_mark());
  }
  bool compacting = false;
  if (const uint64_t held = HeldBytes(); held > limits_.memory_bytes_max) {
    compacting = evictor_.Compact(held - limits_.memory_bytes_max, rows_max, !flusher_.running());
  }
  return compacting || (BytesToEvict() > 0 && !evictor_.exhausted());
}

void Shard::PumpBudget(Effects* effects) {
  BeginWhatFits(effects);
  while (std::optional<ReadJob> job = residency_.NextJob()) {
    effects->read_jobs.push_back(*std::move(job));
  }
  evict_step_due_ = Evict(limits_.evict_step_rows);
  used_bytes_ = UsedBytes();
  held_bytes_ = HeldBytes();
}

bool Shard::HasRoomForRows() const {
  return !budgeted() || UsedBytes() < limits_.memory_bytes_max / 8 * 7;
}

void Shard::LeaveOnDisk(SlotRange slots) {
  for (uint32_t slot = slots.first; slot < std::min(slots.end, kSlotCount); ++slot) {
    residency_.MarkIncomplete(SlotId(static_cast<uint16_t>(slot)));
  }
}

absl::Status Shard::RestoreRow(std::string_view disk_key, std::string_view value) {
  ASSIGN_OR_RETURN(const RowKey key, DecodeRowKey(disk_key));
  ASSIGN_OR_RETURN(const Generation generation, RowGeneration(value));
  TableRows* const table = tables_.Find(key.table);
  if (table == nullptr || table->generation() != generation) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, LoadValue(value, table->layout()));
  table->Load({&key.key, 1}, bytes);
  return absl::OkStatus();
}

std::vector<std::string> Shard::MissingRows(const LogRecord& record) const {
  std::vector<std::string> missing;
  if (!budgeted() || residency_.all_complete() || record.type != RecordType::kPush) return missing;
  const auto push = PushView::Parse(record.body, std::numeric_limits<uint64_t>::max());
  if (!push.ok()) return missing;  // Replay will say so
  for (uint32_t i = 0; i < push->section_count(); ++i) {
    const PushSection section = push->section(i);
    const TableRows* const table = tables_.Find(section.header.table);
    if (table == nullptr || table->generation() != section.header.generation) continue;
    for (const uint32_t at : residency_.Unknown(*table, section.keys)) {
      missing.push_back(EncodeRowKey(table->id(), section.keys[at]));
    }
  }
  return missing;
}

void Shard::EvictAtStart() {
  evictor_.Renew();
  Evict(std::numeric_limits<uint64_t>::max());
}

absl::Status Shard::KeepBudgetInReplay(Lsn replayed, const WriteFile& write) {
  if (!budgeted()) return absl::OkStatus();
  if (BytesToEvict() == 0 && HeldBytes() <= limits_.memory_bytes_max) return absl::OkStatus();
  EvictAtStart();
  if (BytesToEvict() == 0 || DirtyBytes() == 0) return absl::OkStatus();
  flush_mark_ = announced_;
  flusher_.Begin(replayed);
  while (flusher_.running()) {
    while (flusher_.Step(replayed) == Flusher::Next::kStep) {
    }
    flusher_.Synced(replayed);
    RETURN_IF_ERROR(write(flusher_.job()));
    flusher_.FileDone(absl::OkStatus());
  }
  watermark_ = flusher_.watermark();
  EvictAtStart();
  return absl::OkStatus();
}

}  // namespace rowhouse

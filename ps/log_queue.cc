#include "ps/log_queue.h"

#include <utility>

#include "common/refusal.h"

namespace rowhouse {
namespace {

// What the lists keep between jobs; more, which only a slow disk brings about, is given back.
constexpr size_t kKeptEntries = 4096;

// Handing a job over wakes a thread and its end wakes the shard's, each of which may cost 60 us in
// a virtual machine; a push of 64 rows takes 10, a write of this size 100. Records hold the buffers
// that they were received in, of which a connection keeps only a few for use again.
constexpr uint64_t kGatherBytes = 256 << 10;

template <typename T>
void GiveBackSurplus(std::vector<T>* list) {
  if (list->empty() && list->capacity() > kKeptEntries) list->shrink_to_fit();
}

uint64_t RecordBytes(const LogRecord& record) { return record.prefix.size() + record.body.size(); }

}  // namespace

void LogQueue::Start(Lsn next, uint64_t log_bytes) {
  next_ = next;
  appended_bytes_ = log_bytes;
  written_ = synced_ = last_lsn();
}

Lsn LogQueue::Append(LogRecord&& record, Durability durability) {
  record.lsn = next_;
  next_ = Lsn(next_.value() + 1);
  buffered_bytes_ += RecordBytes(record);
  gathered_bytes_ += RecordBytes(record);
  appended_bytes_ += RecordBytes(record);
  gathered_.push_back(std::move(record));
  if (durability != Durability::kMemory || gathered_bytes_ >= kGatherBytes) RequestWrite();
  if (durability == Durability::kFsync) RequestSync(last_lsn());
  return last_lsn();
}

bool LogQueue::WriteDue() const {
  return !in_job_.empty() || (!gathered_.empty() && write_wanted_ >= gathered_.front().lsn);
}

bool LogQueue::IsDurable(Lsn lsn, Durability durability) const {
  switch (durability) {
    case Durability::kMemory:
      return true;
    case Durability::kLog:
      return lsn <= written_;
    case Durability::kFsync:
      return lsn <= synced_;
  }
  return false;
}

void LogQueue::Wait(Lsn lsn, Durability durability, uint64_t request_id, Answer answer) {
  RequestWrite();  // the record may be one that gathers
  if (durability == Durability::kFsync) RequestSync(lsn);
  waiting_bytes_ += answer.frame.size_bytes;
  waiting_.push_back({lsn, durability, request_id, std::move(answer)});
}

std::optional<LogJob> LogQueue::NextJob() {
  const bool trim = trim_wanted_ != Lsn(0);
  if (job_running_ || (!WriteDue() && !SyncDue() && !trim)) return std::nullopt;
  // After a failure the same records go first, alone: the log expects exactly them.
  if (in_job_.empty()) {
    in_job_.swap(gathered_);
    gathered_bytes_ = 0;
  }
  job_running_ = true;
  trim_in_job_ = std::exchange(trim_wanted_, Lsn(0));
  return LogJob{in_job_, SyncDue(), trim_in_job_};
}

void LogQueue::Done(const LogOutcome& outcome, std::vector<Answer>* answers) {
  job_running_ = false;
  written_ = std::max(written_, outcome.written);
  synced_ = std::max(synced_, outcome.synced);
  if (!outcome.trim.ok()) trim_failed_ = trim_in_job_;
  failing_ = !outcome.status.ok();
  failure_ = std::string(outcome.status.message());
  if (in_job_.empty() || written_ >= in_job_.back().lsn) {
    for (const LogRecord& record : in_job_) buffered_bytes_ -= RecordBytes(record);
    in_job_.clear();
    GiveBackSurplus(&in_job_);
  }
  Release(answers);
  if (failing_) FailWaiters(outcome.status, answers);
}

void LogQueue::Release(std::vector<Answer>* answers) {
  // In order of arrival; one that waits for a sync holds nobody else back.
  const auto released = [this](const Waiter& w) { return IsDurable(w.lsn, w.durability); };
  for (Waiter& waiter : waiting_) {
    if (!released(waiter)) continue;
    waiting_bytes_ -= waiter.answer.frame.size_bytes;
    answers->push_back(std::move(waiter.answer));
  }
  std::erase_if(waiting_, released);
  GiveBackSurplus(&waiting_);
}

void LogQueue::FailWaiters(const absl::Status& status, std::vector<Answer>* answers) {
  const absl::Status unknown =
      Refuse(RefusalReason::kLogUnavailable, "the push log cannot be written (",
             std::string(status.message()), "); the outcome of this request is unknown: retry it ",
             "with the same number");
  for (const Waiter& waiter : waiting_) {
    answers->push_back({waiter.answer.session, MakeErrorFrame(waiter.request_id, unknown),
                        waiter.answer.request_bytes});
  }
  waiting_.clear();
  waiting_bytes_ = 0;
}

}  // namespace rowhouse

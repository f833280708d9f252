// Records on their way to the push log, and the answers that wait for them.
//
// Records are taken in LSN order; one job at a time writes all that have gathered meanwhile (group
// commit). Records for which nobody waits may gather until a write is worth its wake-ups. A failed
// job is tried again with the same records; until one succeeds the queue is failing and its waiters
// have been told that the outcome is unknown.
//
// Threading: one shard, one thread.
// Cost: no allocation once its lists have grown; they are bounded by log_buffer_bytes_max, which
//   holds back further requests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/table_spec.h"
#include "common/types.h"
#include "ps/effects.h"

namespace rowhouse {

class LogQueue {
 public:
  // LSN of the next record; everything before it is written and synced, `log_bytes` in all.
  void Start(Lsn next, uint64_t log_bytes);

  Lsn next_lsn() const { return next_; }
  Lsn last_lsn() const { return Lsn(next_.value() - 1); }
  Lsn synced() const { return synced_; }
  bool failing() const { return failing_; }
  // Why the last job failed, where it did.
  const std::string& failure() const { return failure_; }
  uint64_t buffered_bytes() const { return buffered_bytes_; }
  // Of answers kept by Wait: they may be far larger than the requests that they answer.
  uint64_t waiting_bytes() const { return waiting_bytes_; }
  // Of all records since the log's beginning that is on disk; only ever grows.
  uint64_t appended_bytes() const { return appended_bytes_; }
  bool idle() const {
    return !job_running_ && in_job_.empty() && gathered_.empty() && waiting_.empty() &&
           !SyncDue() && trim_wanted_ == Lsn(0);
  }

  // Gives the record its LSN. One of kMemory is written once 256 KiB have gathered, or with the
  // next that somebody waits for, or when RequestWrite says so; the others at once.
  Lsn Append(LogRecord&& record, Durability durability);

  bool IsDurable(Lsn lsn, Durability durability) const;
  // Keeps the answer until IsDurable.
  void Wait(Lsn lsn, Durability durability, uint64_t request_id, Answer answer);

  // Whether there are records that no job is due for.
  bool gathering() const { return !gathered_.empty() && !WriteDue(); }
  // No record that is here gathers any longer.
  void RequestWrite() { write_wanted_ = last_lsn(); }
  // Something else than a waiter wants records up to `lsn` synced.
  void RequestSync(Lsn lsn) { sync_wanted_ = std::max(sync_wanted_, lsn); }
  void RequestTrim(Lsn lsn) { trim_wanted_ = lsn; }
  // The trim that failed last is due again. Nobody waits for it, so nothing else fails with it.
  void RetryTrim() { trim_wanted_ = std::max(trim_wanted_, std::exchange(trim_failed_, Lsn(0))); }

  // The next job, if one is due and none is running.
  std::optional<LogJob> NextJob();

  // The outcome of the job; answers that it released, or errors for all who wait, go to `answers`.
  void Done(const LogOutcome& outcome, std::vector<Answer>* answers);

 private:
  struct Waiter {
    Lsn lsn;
    Durability durability;
    uint64_t request_id;
    Answer answer;
  };
  bool WriteDue() const;
  bool SyncDue() const { return sync_wanted_ > synced_; }
  void Release(std::vector<Answer>* answers);
  void FailWaiters(const absl::Status& status, std::vector<Answer>* answers);

  Lsn next_{1};
  Lsn written_;
  Lsn synced_;
  Lsn write_wanted_;
  Lsn sync_wanted_;
  Lsn trim_wanted_;
  Lsn trim_in_job_;
  Lsn trim_failed_;
  bool job_running_ = false;
  bool failing_ = false;
  std::string failure_;
  uint64_t buffered_bytes_ = 0;
  uint64_t gathered_bytes_ = 0;
  uint64_t waiting_bytes_ = 0;
  uint64_t appended_bytes_ = 0;
  std::vector<LogRecord> gathered_;
  std::vector<LogRecord> in_job_;
  std::vector<Waiter> waiting_;  // in order of arrival
};

}  // namespace rowhouse

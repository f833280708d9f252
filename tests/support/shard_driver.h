// Drives a shard without sockets or threads: carries out its effects on storage in memory, at once
// or when the test says so.
//
//   ShardDriver driver;
//   ASSERT_TRUE(driver.Start().ok());
//   const Reply reply = driver.Send(Op::kPull, PullBody(...));
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/wire/archive.h"
#include "common/wire/control.h"
#include "common/wire/data.h"
#include "ps/shard.h"
#include "ps/shard_storage.h"
#include "storage/memory_disk_tier.h"
#include "storage/memory_log_files.h"
#include "tests/support/frames.h"

namespace rowhouse {

struct Reply {
  bool answered = false;
  ReceivedFrame frame;
  absl::Status status;  // of an error answer

  template <typename T>
  T As() const {
    T value;
    std::memcpy(static_cast<void*>(&value), frame.body.data(), sizeof(T));
    return value;
  }
  std::vector<float> Rows() const;  // of a pull answer
};

class ShardDriver {
 public:
  struct Options {
    ShardLimits limits;
    PushLogOptions log;
    ShardIdentity identity{Timeline(1), ShardId(0), 1, 14};
    bool run_log_jobs = true;        // false: they wait for RunJobs()
    bool run_read_jobs = true;       // false: they wait until this is set
    std::optional<Mark> replay_cut;  // see Shard::SetReplayCut
  };
  ShardDriver() : ShardDriver(Options()) {}
  explicit ShardDriver(Options options);
  // On storage of the caller's making.
  ShardDriver(Options options, ShardStorage storage)
      : options_(std::move(options)), storage_(std::move(storage)) {}

  // Brings the shard up from what the storage holds; also after Stop or Crash.
  absl::Status Start() { return Start(RestoreOptions(options_.log)); }
  absl::Status Start(const RestoreOptions& restore);
  // An orderly stop: true when the shard reported that everything is written.
  bool Stop();
  // The shard is gone; written bytes stay.
  void Crash() { shard_.reset(); }

  Reply Send(Op op, std::span<const std::byte> body) { return SendOn(kFirstSession, op, body); }
  Reply SendOn(SessionId session, Op op, std::span<const std::byte> body);
  void CloseSession(SessionId session);
  template <typename Message>
  Reply SendControl(Op op, const Message& message) {
    return Send(op, EncodeControl(message));
  }
  // Answer to an earlier request that had to wait.
  Reply Late(uint64_t request_id);
  uint64_t last_request_id() const { return next_request_ - 1; }
  // Requests in the order in which they were answered.
  const std::vector<uint64_t>& answered() const { return answered_; }

  // Common requests that must succeed.
  void Create(const TableSpec& spec);
  void Open(ClientId client, Incarnation incarnation, Mark mark = Mark(0));
  std::vector<float> Pull(const TableSpec& spec, std::vector<Key> keys);

  // What the next Start finds. REQUIRES: there is no shard.
  void set_disk(std::unique_ptr<DiskTier> disk) { storage_.disk = std::move(disk); }
  // The same; files() is not to be used then.
  void set_files(std::unique_ptr<LogFiles> files) { storage_.files = std::move(files); }

  void set_run_log_jobs(bool run) { options_.run_log_jobs = run; }
  void set_run_read_jobs(bool run) { options_.run_read_jobs = run; }
  void set_limits(const ShardLimits& limits) { options_.limits = limits; }  // from the next Start
  size_t held_read_jobs() const { return read_jobs_.size(); }
  // Carries out the one that was asked for last, whatever was set.
  void RunLastReadJob();
  // From here on reads, or files of a flush, end with this status instead; OK: as they are.
  void FailReads(absl::Status status) { read_failure_ = std::move(status); }
  void FailFiles(absl::Status status) { file_failure_ = std::move(status); }
  void RunJobs();
  // Carries out one thing that is due; false where nothing is.
  bool RunOneJob();
  void Retry();
  // flush_lull_ms have passed; false where nobody waits for that.
  bool Lull();
  // log_delay_ms have passed; false where nobody waits for that.
  bool LogDelay();
  // By the clock that the shard is told.
  void Advance(uint64_t ms) { now_ms_ += ms; }
  // Checkpoint jobs of this kind fail with this status.
  void FailCheckpoints(CheckpointJob::Kind kind, absl::Status status) {
    failing_checkpoints_[kind] = std::move(status);
  }

  Shard& shard() { return *shard_; }
  const TableSet& tables() const { return shard_->tables(); }
  MemoryLogFiles& files() { return *static_cast<MemoryLogFiles*>(storage_.files.get()); }
  DiskTier& disk() { return *storage_.disk; }
  PushLog& log() { return *storage_.log; }
  // Memory whose pages were to be found, so far.
  uint64_t memory_ahead_bytes() const { return memory_ahead_bytes_; }
  uint64_t CounterValue(std::string_view name) const;
  // Every entry of the disk tier.
  std::map<std::string, std::string> DiskContents() const;

  static constexpr SessionId kFirstSession{1};

 private:
  void Perform(Effects effects);
  void RunRead(const ReadJob& job, Effects* effects);
  CheckpointOutcome RunCheckpoint(const CheckpointJob& job);

  Options options_;
  RefusalCounters counters_;
  ShardStorage storage_;
  std::unique_ptr<Shard> shard_;
  std::optional<LogJob> log_job_;
  std::optional<FileJob> file_job_;
  std::deque<ReadJob> read_jobs_;
  absl::Status read_failure_;
  absl::Status file_failure_;
  std::optional<CheckpointJob> checkpoint_job_;
  uint64_t memory_ahead_bytes_ = 0;
  bool flush_step_ = false;
  bool retry_ = false;
  bool lull_ = false;
  bool log_delay_ = false;
  bool stopped_ = false;
  std::map<CheckpointJob::Kind, absl::Status> failing_checkpoints_;
  uint64_t now_ms_ = 1'700'000'000'000;
  uint64_t next_request_ = 1;
  std::map<uint64_t, Reply> replies_;
  std::vector<uint64_t> answered_;
};

// The section of one table, for a request.
TestSection SectionOf(const TableSpec& spec, std::vector<Key> keys,
                      std::vector<float> gradients = {});

}  // namespace rowhouse

#include "tests/support/shard_driver.h"

#include <glog/logging.h>

#include <utility>

#include "common/refusal.h"
#include "common/wire/frame_builder.h"

namespace rowhouse {
namespace {

Reply ToReply(const Answer& answer) {
  Reply reply;
  reply.answered = true;
  reply.frame = Receive(answer.frame);
  if (reply.frame.op() == Op::kError) {
    const auto error = DecodeControl<ErrorAnswer>(reply.frame.body);
    CHECK(error.ok());
    reply.status = RefuseWith(error->reason, error->message);
  }
  return reply;
}

}  // namespace

std::vector<float> Reply::Rows() const {
  const auto bytes = frame.body.subspan(sizeof(PullAnswerHeader));
  std::vector<float> rows(bytes.size() / sizeof(float));
  std::memcpy(rows.data(), bytes.data(), bytes.size());
  return rows;
}

TestSection SectionOf(const TableSpec& spec, std::vector<Key> keys, std::vector<float> gradients) {
  return {TableIdOf(spec.name), Generation(1), spec.dim, std::move(keys), std::move(gradients)};
}

ShardDriver::ShardDriver(Options options) : options_(options) {
  storage_.identity = options.identity;
  storage_.disk = MakeMemoryDiskTier();
  storage_.files = std::make_unique<MemoryLogFiles>();
}

absl::Status ShardDriver::Start(const RestoreOptions& restore) {
  shard_ = std::make_unique<Shard>(options_.identity, options_.limits,
                                   SupportedAdagradKernels().back().kernel, &counters_);
  log_job_.reset();
  file_job_.reset();
  read_jobs_.clear();
  checkpoint_job_.reset();
  flush_step_ = retry_ = lull_ = log_delay_ = stopped_ = false;
  if (options_.replay_cut.has_value()) shard_->SetReplayCut(*options_.replay_cut);
  std::string found;
  RestoreOptions with = restore;
  with.log = options_.log;
  return RestoreShard(with, &storage_, shard_.get(), &found);
}

bool ShardDriver::Stop() {
  Effects effects;
  shard_->OnStop(&effects);
  Perform(std::move(effects));
  RunJobs();
  const bool stopped = stopped_;
  shard_.reset();
  return stopped;
}

Reply ShardDriver::SendOn(SessionId session, Op op, std::span<const std::byte> body) {
  const uint64_t request_id = next_request_++;
  Effects effects;
  shard_->OnRequest(session, Request(op, request_id, body), now_ms_, &effects);
  Perform(std::move(effects));
  if (options_.run_log_jobs) RunJobs();
  return Late(request_id);
}

Reply ShardDriver::Late(uint64_t request_id) {
  const auto found = replies_.find(request_id);
  return found == replies_.end() ? Reply() : found->second;
}

void ShardDriver::Create(const TableSpec& spec) {
  const Reply reply = SendControl(Op::kCreateTable, CreateTable{spec});
  CHECK(reply.answered && reply.status.ok()) << reply.status;
}

void ShardDriver::Open(ClientId client, Incarnation incarnation, Mark mark) {
  const Reply reply = SendControl(Op::kOpenClient, OpenClient{client, incarnation, mark});
  CHECK(reply.answered && reply.status.ok()) << reply.status;
}

std::vector<float> ShardDriver::Pull(const TableSpec& spec, std::vector<Key> keys) {
  const TestSection section = SectionOf(spec, std::move(keys));
  const Reply reply = Send(Op::kPull, PullBody({&section, 1}));
  CHECK(reply.answered && reply.status.ok()) << reply.status;
  return reply.Rows();
}

void ShardDriver::Perform(Effects effects) {
  for (const Answer& answer : effects.answers) {
    Reply reply = ToReply(answer);
    answered_.push_back(reply.frame.header.request_id);
    replies_[answered_.back()] = std::move(reply);
  }
  if (effects.log_job.has_value()) log_job_ = effects.log_job;
  if (effects.file_job.has_value()) file_job_ = effects.file_job;
  for (ReadJob& job : effects.read_jobs) read_jobs_.push_back(std::move(job));
  if (effects.checkpoint_job.has_value()) checkpoint_job_ = effects.checkpoint_job;
  for (const Mapping& mapping : effects.memory_ahead) memory_ahead_bytes_ += mapping.bytes;
  flush_step_ |= effects.flush_step;
  retry_ |= effects.retry;
  lull_ |= effects.lull;
  log_delay_ |= effects.log_delay;
  stopped_ |= effects.stopped;
}

bool ShardDriver::RunOneJob() {
  Effects effects;
  if (log_job_.has_value()) {
    shard_->OnLogDone(RunLogJob(*std::exchange(log_job_, std::nullopt), storage_.log.get()),
                      &effects);
  } else if (file_job_.has_value()) {
    const FileJob job = *std::exchange(file_job_, std::nullopt);
    const absl::Status status =
        file_failure_.ok() ? RunFileJob(job, storage_.disk.get()) : file_failure_;
    shard_->NoteDiskMemory(storage_.disk->memory_bytes());
    shard_->OnFileDone(status, &effects);
  } else if (!read_jobs_.empty() && options_.run_read_jobs) {
    const ReadJob job = std::move(read_jobs_.front());
    read_jobs_.pop_front();
    RunRead(job, &effects);
  } else if (checkpoint_job_.has_value()) {
    shard_->OnCheckpointDone(RunCheckpoint(*std::exchange(checkpoint_job_, std::nullopt)),
                             &effects);
  } else if (std::exchange(flush_step_, false)) {
    shard_->OnFlushStep(&effects);
  } else {
    return false;
  }
  Perform(std::move(effects));
  return true;
}

void ShardDriver::RunRead(const ReadJob& job, Effects* effects) {
  ReadOutcome outcome = RunReadJob(job, storage_.disk.get());
  if (!read_failure_.ok()) outcome = {job.id, read_failure_, {}};
  shard_->OnRowsRead(outcome, effects);
}

void ShardDriver::RunLastReadJob() {
  const ReadJob job = std::move(read_jobs_.back());
  read_jobs_.pop_back();
  Effects effects;
  RunRead(job, &effects);
  Perform(std::move(effects));
}

void ShardDriver::CloseSession(SessionId session) {
  Effects effects;
  shard_->OnSessionClosed(session, &effects);
  Perform(std::move(effects));
}

CheckpointOutcome ShardDriver::RunCheckpoint(const CheckpointJob& job) {
  const auto failing = failing_checkpoints_.find(job.kind);
  if (failing != failing_checkpoints_.end()) return {failing->second, {}};
  return RunCheckpointJob(job, storage_.disk.get(), *storage_.files);
}

void ShardDriver::RunJobs() {
  while (RunOneJob()) {
  }
}

bool ShardDriver::Lull() {
  if (!std::exchange(lull_, false)) return false;
  Effects effects;
  shard_->OnLull(&effects);
  Perform(std::move(effects));
  RunJobs();
  return true;
}

bool ShardDriver::LogDelay() {
  if (!std::exchange(log_delay_, false)) return false;
  Effects effects;
  shard_->OnLogDelay(&effects);
  Perform(std::move(effects));
  RunJobs();
  return true;
}

void ShardDriver::Retry() {
  if (!std::exchange(retry_, false)) return;
  Effects effects;
  shard_->OnRetry(&effects);
  Perform(std::move(effects));
  RunJobs();
}

uint64_t ShardDriver::CounterValue(std::string_view name) const {
  for (const Counter& counter : shard_->Counters()) {
    if (counter.name == name) return counter.value;
  }
  return 0;
}

std::map<std::string, std::string> ShardDriver::DiskContents() const {
  std::map<std::string, std::string> contents;
  const absl::Status status =
      storage_.disk->Scan("", "", [&](std::string_view key, std::string_view value) {
        contents.emplace(key, value);
        return absl::OkStatus();
      });
  CHECK(status.ok()) << status;
  return contents;
}

}  // namespace rowhouse

#include "ps/net/shard_host.h"

#include <glog/logging.h>
#include <pthread.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/text.h"
#include "ps/restore_report.h"

namespace rowhouse {
namespace {

// How long a stop waits for peers to take their last answers.
constexpr uint32_t kFinishTimeoutMs = 2000;
// A log job may release far more; their memory is given back.
constexpr size_t kKeptAnswers = 4096;

uint64_t NowMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

double SecondsNow() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string ShardPath(const ServerOptions& options, ShardId shard) {
  return StrCat(options.data_dir, "/shard-", shard.value());
}

absl::StatusOr<ShardStorage> OpenStorage(const ShardIdentity& identity,
                                         const ServerContext& context) {
  const ServerOptions& options = context.options;
  if (options.open_storage) return options.open_storage(identity);
  return OpenShardStorage(ShardPath(options, identity.shard), identity,
                          options.log_direct ? LogWrites::kDirect : LogWrites::kCached);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ShardHost>> ShardHost::Open(const ShardIdentity& identity,
                                                           ServerContext* context) {
  ASSIGN_OR_RETURN(ShardStorage storage, OpenStorage(identity, *context));
  auto shard = std::make_unique<Shard>(storage.identity, context->options.limits,
                                       SupportedAdagradKernels().back().kernel, &context->refusals);
  const std::string who = StrCat("shard ", identity.shard.value(), " of ", identity.shard_count);
  RestoreReport report(who, SecondsNow, [](std::string_view line) { LOG(INFO) << line; });
  RestoreOptions restore(context->options.log);
  restore.threads = kRestoreThreads;
  restore.observe = [&](const RestoreProgress& progress) { report.Note(progress); };
  std::string found;
  RETURN_IF_ERROR(RestoreShard(restore, &storage, shard.get(), &found));
  LOG(INFO) << who << ": " << found;
  return std::unique_ptr<ShardHost>(new ShardHost(std::move(storage), std::move(shard), context));
}

ShardHost::ShardHost(ShardStorage storage, std::unique_ptr<Shard> shard, ServerContext* context)
    : identity_(storage.identity),
      context_(context),
      storage_(std::move(storage)),
      shard_(std::move(shard)),
      work_(asio::make_work_guard(loop_)),
      retry_timer_(loop_),
      log_timer_(loop_),
      lull_timer_(loop_),
      stop_timer_(loop_) {}

ShardHost::~ShardHost() {
  BeginStop();
  Join().IgnoreError();
}

void ShardHost::Start() {
  thread_ = std::thread([this] { loop_.run(); });
  // For who looks with top or pins it with taskset; names have at most 15 letters.
  pthread_setname_np(thread_.native_handle(), StrCat("shard-", identity_.shard.value()).c_str());
}

void ShardHost::Adopt(StreamSocket socket, FrameReader reader, std::unique_ptr<ConnectionSlot> slot,
                      OutFrame greeting) {
  // Released from the lobby's event loop on its own thread; registered with ours on ours.
  boost::system::error_code error;
  const auto protocol = socket.local_endpoint(error).protocol();
  if (error) return;
  const auto handle = socket.release();
  asio::post(loop_, [this, protocol, handle, reader = std::move(reader), slot = std::move(slot),
                     greeting = std::move(greeting)]() mutable {
    StreamSocket own(loop_, protocol, handle);
    WidenIfUnix(own);
    if (finished_) return;
    const SessionId id(next_session_++);
    auto session = std::make_shared<Session>(id, std::move(own), std::move(reader), std::move(slot),
                                             this, context_);
    sessions_.emplace(id, session);
    if (protocol.family() == AF_UNIX) unix_sessions_.insert(id);
    NoteConnections();
    session->Send(std::move(greeting), 0);
    session->Start();
  });
}

template <typename Event>
void ShardHost::Handle(EventKind kind, Event event) {
  const bool was_congested = congested();
  const auto began = std::chrono::steady_clock::now();
  Effects effects;
  effects.begin_log = [this](const LogJob& job) {
    if (!finished_) RunLog(job);
  };
  effects.answers = std::move(spare_answers_);
  effects.answers.clear();
  event(&effects);
  Perform(&effects);
  effects.answers.clear();
  if (effects.answers.capacity() <= kKeptAnswers) spare_answers_ = std::move(effects.answers);
  const auto took = std::chrono::steady_clock::now() - began;
  shard_->NoteEventTime(
      kind,
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  if (was_congested && !congested()) ResumeSessions();
}

void ShardHost::OnRequest(SessionId session, const ReceivedFrame& frame) {
  Handle(EventKind::kRequest,
         [&](Effects* effects) { shard_->OnRequest(session, frame, NowMs(), effects); });
}

void ShardHost::Forget(SessionId session) {
  sessions_.erase(session);
  unix_sessions_.erase(session);
  NoteConnections();
  Handle(EventKind::kOther, [&](Effects* effects) { shard_->OnSessionClosed(session, effects); });
}

void ShardHost::Perform(Effects* effects) {
  for (Answer& answer : effects->answers) {
    const auto found = sessions_.find(answer.session);
    if (found == sessions_.end()) {
      Recycle(std::move(answer.frame));
      continue;
    }
    found->second->Send(std::move(answer.frame), answer.request_bytes);
    if (answer.ends_session) found->second->FinishAndClose();
  }
  // A session's answers of one event together.
  for (const Answer& answer : effects->answers) {
    const auto found = sessions_.find(answer.session);
    if (found != sessions_.end()) found->second->Flush();
  }
  if (finished_) return;
  if (effects->file_job.has_value()) RunFile(*effects->file_job);
  for (ReadJob& job : effects->read_jobs) RunRead(std::move(job));
  if (effects->checkpoint_job.has_value()) RunCheckpoint(*effects->checkpoint_job);
  for (Mapping& mapping : effects->memory_ahead) {
    asio::post(context_->memory_pool, [mapping = std::move(mapping)] { FindPages(mapping); });
  }
  if (effects->flush_step) {
    asio::post(loop_, [this] {
      Handle(EventKind::kFlushStep, [this](Effects* e) { shard_->OnFlushStep(e); });
    });
  }
  if (effects->retry) RetryLater();
  if (effects->log_delay) WriteLogLater();
  if (effects->lull) WaitForLull();
  if (effects->stopped) Finish();
}

void ShardHost::RunLog(LogJob job) {
  log_job_ = job;
  asio::post(context_->log_pool, [this] {
    log_outcome_ = RunLogJob(log_job_, storage_.log.get());
    // Where the disk is so far behind, the log waits for it.
    if (removals_ + log_outcome_.removed.size() > kRemovedFilesMax) log_outcome_.removed.clear();
    asio::post(loop_, [this] { LogDone(); });
  });
}

void ShardHost::LogDone() {
  LogOutcome outcome = std::move(log_outcome_);
  if (!outcome.removed.empty()) Free(std::exchange(outcome.removed, {}));
  NoteFailure(outcome.status, "push log");
  if (!outcome.trim.ok()) {
    LOG_EVERY_N(WARNING, 25) << "shard " << identity_.shard << ": the push log cannot be "
                             << "trimmed, trying again every " << context_->options.retry_ms
                             << " ms: " << outcome.trim.message();
  }
  Handle(EventKind::kLogDone, [&](Effects* effects) { shard_->OnLogDone(outcome, effects); });
}

void ShardHost::Free(std::vector<RemovedFile> removed) {
  removals_ += removed.size();
  asio::post(context_->removal_pool, [this, removed = std::move(removed)]() mutable {
    const size_t count = removed.size();
    removed.clear();
    removals_ -= count;
  });
}

void ShardHost::RunFile(FileJob job) {
  asio::post(context_->file_pool, [this, job] {
    absl::Status status = RunFileJob(job, storage_.disk.get());
    const uint64_t memory_bytes = storage_.disk->memory_bytes();
    asio::post(loop_, [this, memory_bytes, status = std::move(status)] {
      NoteFailure(status, "rows");
      NoteDiskMemory(memory_bytes);
      Handle(EventKind::kFileDone, [&](Effects* effects) { shard_->OnFileDone(status, effects); });
    });
  });
}

void ShardHost::RunRead(ReadJob job) {
  asio::post(context_->read_pool, [this, job = std::move(job)] {
    ReadOutcome outcome = RunReadJob(job, storage_.disk.get());
    const uint64_t memory_bytes = storage_.disk->memory_bytes();
    asio::post(loop_, [this, memory_bytes, outcome = std::move(outcome)] {
      NoteDiskMemory(memory_bytes);
      Handle(EventKind::kRowsRead, [&](Effects* effects) { shard_->OnRowsRead(outcome, effects); });
    });
  });
}

void ShardHost::RunCheckpoint(CheckpointJob job) {
  asio::post(context_->checkpoint_pool, [this, job = std::move(job)] {
    CheckpointOutcome outcome =
        RunCheckpointJob(job, storage_.disk.get(), *storage_.files, &storage_.checksums);
    asio::post(loop_, [this, outcome = std::move(outcome)] {
      if (!outcome.status.ok()) {
        LOG(ERROR) << "shard " << identity_.shard << ": checkpoint: " << outcome.status.message();
      }
      Handle(EventKind::kOther,
             [&](Effects* effects) { shard_->OnCheckpointDone(outcome, effects); });
    });
  });
}

void ShardHost::NoteConnections() {
  shard_->NoteConnections(sessions_.size(), unix_sessions_.size());
}

void ShardHost::NoteDiskMemory(uint64_t bytes) {
  shard_->NoteDiskMemory(bytes);
  const uint64_t budget = context_->options.limits.memory_bytes_max;
  if (budget == 0 || bytes <= budget / 2) return;
  LOG_FIRST_N(WARNING, 1) << "shard " << identity_.shard
                          << ": indexes and filters of the rows on disk take " << bytes
                          << " bytes, more than half of the shard's part of the memory budget, "
                          << budget
                          << "; rows keep half of it, so the server needs more memory than "
                          << "--memory-bytes-max says: give it more, or more servers";
}

void ShardHost::NoteFailure(const absl::Status& status, const char* what) {
  if (status.ok()) return;
  last_failure_ = StrCat("writing ", what, " failed: ", status.message());
  LOG_EVERY_N(ERROR, 25) << "shard " << identity_.shard << ": writing " << what
                         << " failed, trying again every " << context_->options.retry_ms
                         << " ms: " << status.message();
}

void ShardHost::RetryLater() {
  retry_timer_.expires_after(std::chrono::milliseconds(context_->options.retry_ms));
  retry_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) Handle(EventKind::kOther, [this](Effects* effects) { shard_->OnRetry(effects); });
  });
}

void ShardHost::WriteLogLater() {
  log_timer_.expires_after(std::chrono::milliseconds(context_->options.limits.log_delay_ms));
  log_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) {
      Handle(EventKind::kOther, [this](Effects* effects) { shard_->OnLogDelay(effects); });
    }
  });
}

void ShardHost::WaitForLull() {
  lull_timer_.expires_after(std::chrono::milliseconds(context_->options.limits.flush_lull_ms));
  lull_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) Handle(EventKind::kOther, [this](Effects* effects) { shard_->OnLull(effects); });
  });
}

void ShardHost::ResumeSessions() {
  for (const auto& [id, session] : sessions_) session->Resume();
}

void ShardHost::BeginStop() {
  asio::post(loop_, [this] {
    if (finished_) return;
    stop_timer_.expires_after(std::chrono::milliseconds(context_->options.stop_timeout_ms));
    stop_timer_.async_wait([this](boost::system::error_code error) {
      if (!error) GiveUp();
    });
    Handle(EventKind::kOther, [this](Effects* effects) { shard_->OnStop(effects); });
  });
}

// Everything is on disk. Connections send what they still have, then the loop runs dry.
void ShardHost::Finish() {
  if (std::exchange(finished_, true)) return;
  const auto sessions = sessions_;
  for (const auto& [id, session] : sessions) {
    session->FinishAndClose();
    session->CloseAfter(kFinishTimeoutMs);
  }
  retry_timer_.cancel();
  log_timer_.cancel();
  lull_timer_.cancel();
  stop_timer_.cancel();
  work_.reset();
}

void ShardHost::GiveUp() {
  if (finished_) return;
  stopped_ = absl::UnavailableError(
      StrCat("shard ", identity_.shard.value(), ": not everything could be written within ",
             context_->options.stop_timeout_ms, " ms (stop_timeout_ms): ", last_failure_,
             "; pushes acknowledged with durability log or fsync are in the push log"));
  Finish();
}

absl::Status ShardHost::Join() {
  if (thread_.joinable()) thread_.join();
  return stopped_;
}

}  // namespace rowhouse

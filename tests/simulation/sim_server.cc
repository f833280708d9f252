#include "tests/simulation/sim_server.h"

#include <limits>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "storage/checkpoint_files.h"
#include "tests/simulation/shard_rows.h"

namespace rowhouse {
namespace {

constexpr uint64_t kEpochMs = 1'700'000'000'000;

}  // namespace

SimServer::SimServer(World* world, Network* network, ShardId shard)
    : world_(world),
      network_(network),
      identity_{Timeline(1), shard, world->plan.shard_count, kSlotBits},
      disk_(world) {
  network->AddServer(shard, this);
}

uint64_t SimServer::NowMs() const { return kEpochMs + world_->events.now_us() / 1000; }

void SimServer::InThisLife(uint64_t delay_us, EventQueue::Event event) {
  world_->events.After(delay_us, [this, run = run_, event = std::move(event)] {
    if (run == run_ && up()) event();
  });
}

absl::Status SimServer::Restore() {
  storage_ = ShardStorage();
  storage_.identity = identity_;
  storage_.disk = disk_.OpenRows();
  if (world_->sabotage.disk) storage_.disk = world_->sabotage.disk(std::move(storage_.disk));
  storage_.files = disk_.OpenLogFiles();
  if (world_->sabotage.files) storage_.files = world_->sabotage.files(std::move(storage_.files));
  shard_ = std::make_unique<Shard>(identity_, world_->plan.limits,
                                   SupportedAdagradKernels().back().kernel, &counters_);
  PushLogOptions options;
  options.segment_bytes = world_->plan.segment_bytes;
  std::string found;
  RETURN_IF_ERROR(RestoreShard(options, &storage_, shard_.get(), &found));
  if (world_->sabotage.log) storage_.log = world_->sabotage.log(std::move(storage_.log));
  world_->trace.Note(name(), " starts: ", found);
  if (found.find("torn tail") != std::string::npos) world_->Count("torn tail cut");
  return absl::OkStatus();
}

void SimServer::Start() {
  if (up()) return;
  disk_.Revive();
  if (world_->OneIn(10)) disk_.DieAfter(world_->Between(1, 3));
  const absl::Status status = Restore();
  if (!disk_.dead()) disk_.Revive();
  if (status.ok() && !disk_.dead()) return BeginLife();
  shard_.reset();
  world_->trace.Note(name(), " does not start: ", std::string(status.message()));
  if (!disk_.dead() && !disk_.failing()) {
    return world_->Expect(
        absl::DataLossError(StrCat("start: ", name(), " does not start: ", status.message())));
  }
  StartLater();
}

void SimServer::StartLater() {
  if (std::exchange(starting_, true)) return;
  world_->events.After(world_->Between(1'000, 60'000), [this] {
    starting_ = false;
    Start();
  });
}

void SimServer::BeginLife() {
  ++run_;
  world_->Count("life");
  absl::StatusOr<Journal> log = disk_.ReadLog();
  if (!log.ok()) return world_->Expect(log.status());
  if (!lives_.empty()) {
    Life& last = lives_.back();
    last.survived = Lsn(log->size());
    world_->Count("records lost", last.journal.size() - log->size());
    world_->Expect(CheckSurvival(last, *log));
  }
  world_->Expect(CheckRecords(*log));
  world_->Expect(CheckState(*log, ReadRows()));
  Life& life = lives_.emplace_back();
  life.synced = Lsn(log->size());
  life.journal = *std::move(log);
}

Rows SimServer::ReadRows() {
  absl::StatusOr<Rows> rows = disk_.ReadRows();
  if (!rows.ok()) {
    world_->Expect(rows.status());
    return {};
  }
  AddRowsInMemory(*shard_, &*rows);
  return *std::move(rows);
}

void SimServer::Crash(LifeEnd end) {
  if (!lives_.empty()) {
    // A machine that ends while its process is down takes unsynced bytes along as well.
    Life& life = lives_.back();
    life.end = life.end == LifeEnd::kStillRunning ? end : std::max(life.end, end);
  }
  world_->trace.Note(name(), end == LifeEnd::kPowerCut ? " loses power" : " is killed");
  if (up()) {
    CountEvictions();
    ++run_;
    shard_.reset();
    storage_ = ShardStorage();
    sessions_.clear();
    network_->ServerGone(identity_.shard);
  }
  crash_at_ = Boundary::kNone;
  disk_.Revive();
  if (end == LifeEnd::kPowerCut) disk_.LosePower();
  StartLater();
}

void SimServer::CrashAt(Boundary boundary, LifeEnd end) {
  crash_at_ = boundary;
  crash_end_ = end;
}

void SimServer::DieInJob(uint64_t writes, LifeEnd end) {
  if (!up()) return;
  crash_end_ = end;
  disk_.DieAfter(writes);
}

bool SimServer::CrashIfAt(Boundary boundary) {
  if (crash_at_ != boundary && !disk_.dead()) return false;
  world_->Count(disk_.dead() ? "crash in a job" : "crash at a boundary");
  Crash(crash_end_);
  return true;
}

void SimServer::Stop() {
  Effects effects;
  shard_->OnStop(&effects);
  Perform(std::move(effects));
}

bool SimServer::Accept(SessionId session) {
  if (!up()) return false;
  sessions_[session];
  return true;
}

void SimServer::OnEnded(SessionId session) { CloseSession(session); }

void SimServer::CloseSession(SessionId session) {
  if (sessions_.erase(session) == 0) return;
  InThisLife(0, [this, session] {
    Effects effects;
    shard_->OnSessionClosed(session, &effects);
    Perform(std::move(effects));
  });
}

void SimServer::OnFrame(SessionId session, const ReceivedFrame& frame) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  found->second.waiting.push_back(frame);
  HandleWaiting();
}

// Sessions are read while log and memory keep up.
void SimServer::HandleWaiting() {
  if (std::exchange(handling_, true)) return;
  while (HandleOneWaiting()) {
  }
  handling_ = false;
}

bool SimServer::HandleOneWaiting() {
  if (!up()) return false;
  for (auto& [id, session] : sessions_) {
    if (shard_->congested()) {
      world_->Count("congested");
      return false;
    }
    if (session.finishing) session.waiting.clear();
    if (session.waiting.empty()) continue;
    const ReceivedFrame frame = std::move(session.waiting.front());
    session.waiting.pop_front();
    Handle(id, frame);
    return true;
  }
  return false;
}

void SimServer::Handle(SessionId session, const ReceivedFrame& frame) {
  world_->trace.Note(name(), " takes op ", frame.header.op, " id ", frame.header.request_id,
                     " of session ", session.value(), ", ", frame.header.body_checksum);
  ++sessions_[session].unanswered;
  Effects effects;
  shard_->OnRequest(session, frame, NowMs(), &effects);
  Perform(std::move(effects));
}

void SimServer::Perform(Effects effects) {
  if (effects.log_job.has_value()) {
    Offer(effects.log_job->records);
    InThisLife(JobDelay(), [this, job = *effects.log_job] { RunLog(job); });
  }
  if (effects.file_job.has_value()) {
    InThisLife(JobDelay(), [this, job = *effects.file_job] { RunFile(job); });
  }
  for (ReadJob& job : effects.read_jobs) {
    InThisLife(JobDelay(), [this, job = std::move(job)] { RunRead(job); });
  }
  if (effects.checkpoint_job.has_value()) {
    InThisLife(JobDelay(), [this, job = *effects.checkpoint_job] { RunCheckpoint(job); });
  }
  if (effects.flush_step) {
    InThisLife(1 + world_->random.Below(200), [this] {
      Effects more;
      shard_->OnFlushStep(&more);
      Perform(std::move(more));
      if (up()) CrashIfAt(Boundary::kAfterFlushStep);
    });
  }
  if (effects.retry) {
    InThisLife(world_->plan.retry_us, [this] {
      Effects more;
      shard_->OnRetry(&more);
      Perform(std::move(more));
    });
  }
  if (effects.log_delay) {
    InThisLife(uint64_t{world_->plan.limits.log_delay_ms} * 1000, [this] {
      Effects more;
      shard_->OnLogDelay(&more);
      Perform(std::move(more));
    });
  }
  if (effects.lull) {
    InThisLife(world_->plan.lull_us, [this] {
      Effects more;
      shard_->OnLull(&more);
      Perform(std::move(more));
    });
  }
  for (Answer& answer : effects.answers) SendAnswer(std::move(answer));
  if (effects.stopped && lives_.back().end == LifeEnd::kStillRunning) {
    world_->trace.Note(name(), " has stopped");
    lives_.back().end = LifeEnd::kStopped;
  }
  if (crash_at_ == Boundary::kAfterAnswer && !effects.answers.empty()) {
    InThisLife(0, [this] { CrashIfAt(Boundary::kAfterAnswer); });
  }
  HandleWaiting();
}

void SimServer::SendAnswer(Answer answer) {
  const auto found = sessions_.find(answer.session);
  if (found == sessions_.end()) return;
  --found->second.unanswered;
  found->second.finishing |= answer.ends_session;
  network_->SendToClient(answer.session, std::move(answer.frame), life());
  FinishIfAnswered(answer.session);
}

void SimServer::FinishIfAnswered(SessionId id) {
  const Session& session = sessions_[id];
  if (!session.finishing || session.unanswered > 0) return;
  CloseSession(id);
  network_->CloseByServer(id);
}

// A record that was offered once does not change until it is written.
void SimServer::Offer(std::span<const LogRecord> records) {
  Journal& journal = lives_.back().journal;
  for (const LogRecord& record : records) {
    const uint64_t place = record.lsn.value() - 1;
    if (place == journal.size()) {
      journal.push_back(record);
    } else if (place > journal.size() || journal[place].body.data() != record.body.data()) {
      world_->Expect(absl::DataLossError(
          StrCat("log: ", name(), " offers LSN ", record.lsn.value(), " out of order")));
    }
  }
}

void SimServer::RunLog(LogJob job) {
  const LogOutcome outcome = RunLogJob(job, storage_.log.get());
  world_->trace.Note(name(), " log job: written ", outcome.written.value(), " synced ",
                     outcome.synced.value(), " bytes ", outcome.log_bytes, " ",
                     std::string(outcome.status.message()));
  if (!outcome.status.ok()) world_->Count("log job failed");
  if (CrashIfAt(Boundary::kAfterLogJob)) return;
  lives_.back().synced = std::max(lives_.back().synced, outcome.synced);
  InThisLife(JobDelay(), [this, outcome] {
    Effects effects;
    shard_->OnLogDone(outcome, &effects);
    Perform(std::move(effects));
  });
}

void SimServer::RunFile(FileJob job) {
  const absl::Status status = RunFileJob(job, storage_.disk.get());
  world_->trace.Note(name(), " file job of ", job.entries->entry_count(), " ",
                     std::string(status.message()));
  if (!status.ok()) world_->Count("file job failed");
  if (CrashIfAt(Boundary::kAfterFileJob)) return;
  InThisLife(JobDelay(), [this, status] {
    Effects effects;
    shard_->OnFileDone(status, &effects);
    Perform(std::move(effects));
  });
}

void SimServer::RunRead(const ReadJob& job) {
  const ReadOutcome outcome = RunReadJob(job, storage_.disk.get());
  if (!outcome.status.ok()) world_->Count("read job failed");
  InThisLife(JobDelay(), [this, outcome] {
    Effects effects;
    shard_->OnRowsRead(outcome, &effects);
    Perform(std::move(effects));
  });
}

// As ps/shard_storage.h does, but that what is published goes to the depot.
void SimServer::RunCheckpoint(const CheckpointJob& job) {
  CheckpointOutcome outcome;
  if (job.kind == CheckpointJob::Kind::kPublish) {
    outcome.status = Publish(job);
  } else {
    outcome = RunCheckpointJob(job, storage_.disk.get(), *storage_.files);
  }
  world_->trace.Note(name(), " checkpoint job ", static_cast<int>(job.kind), " of attempt ",
                     job.attempt, " ", std::string(outcome.status.message()));
  if (CrashIfAt(Boundary::kAfterCheckpointJob)) return;
  InThisLife(JobDelay(), [this, outcome] {
    Effects effects;
    shard_->OnCheckpointDone(outcome, &effects);
    Perform(std::move(effects));
  });
}

absl::Status SimServer::Publish(const CheckpointJob& job) {
  PublishedShard published;
  ASSIGN_OR_RETURN(const auto image,
                   storage_.disk->OpenFrozen(absl::StrFormat("%016x", job.attempt)));
  RETURN_IF_ERROR(image->Scan("", "", [&](std::string_view key, std::string_view value) {
    published.entries.push_back({std::string(key), std::string(value)});
    return absl::OkStatus();
  }));
  ASSIGN_OR_RETURN(const auto parts, FindLogParts(*storage_.files, job.watermark, job.cut));
  for (const LogPart& part : parts) {
    ASSIGN_OR_RETURN(published.segments[part.name], storage_.files->Read(part.name, 0, part.bytes));
  }
  world_->depot.attempts[job.attempt][identity_.shard] = std::move(published);
  return absl::OkStatus();
}

void SimServer::CountEvictions() {
  for (const Counter& counter : shard_->Counters()) {
    if (counter.name == "rows_evicted") world_->Count("rows evicted", counter.value);
  }
}

void SimServer::CountRefusals() {
  std::vector<Counter> counters;
  counters_.AppendTo(&counters);
  for (const Counter& counter : counters) world_->Count(counter.name, counter.value);
}

void SimServer::CheckStored() {
  const absl::StatusOr<Journal> log = disk_.ReadLog();
  if (!log.ok()) return world_->Expect(log.status());
  world_->Expect(CheckSurvival(lives_.back(), *log));
  const absl::StatusOr<Rows> rows = disk_.ReadRows();
  if (!rows.ok()) return world_->Expect(rows.status());
  world_->Expect(CheckState(*log, *rows));
}

}  // namespace rowhouse

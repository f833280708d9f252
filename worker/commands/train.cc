#include <glog/logging.h>

#include <chrono>

#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "worker/checkpoint/checkpoint_directory.h"
#include "worker/commands/commands.h"
#include "worker/commands/output.h"
#include "worker/data/folds.h"
#include "worker/events.h"
#include "worker/progress.h"
#include "worker/training/training_checkpoints.h"
#include "worker/training/training_state.h"

namespace rowhouse {
namespace {

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

RunShape ShapeOf(const WorkerOptions& options) {
  return {options.checkpoint.every_steps, options.trainer.prefetch_steps};
}

// Tells people by a progress bar, machines by events.
class Reporter : public TrainingObserver {
 public:
  // `checkpoints`: null where this worker makes none.
  Reporter(const WorkerOptions& options, const JobIdentity& job, TrainingCheckpoints* checkpoints)
      : rank_(options.trainer.schedule.rank),
        json_(options.json),
        job_(job),
        run_(ShapeOf(options)),
        checkpoint_every_ms_(options.checkpoint.every_ms),
        checkpoints_(checkpoints),
        bar_(ProgressBarOnStderr()) {}

  void EpochBegan(const TrainingProgress& progress) override {
    epoch_begin_seconds_ = watch_.seconds();
    epoch_begin_examples_ = progress.run_examples_done;
    if (json_) PrintLine(EpochBeginEvent(rank_, progress));
  }

  void Stepped(const TrainingProgress& progress) override {
    bar_.Update(progress, watch_.seconds());
    if (checkpoints_ == nullptr) return;
    TellOutcomes();
    if (checkpoint_every_ms_ == 0) return;
    const double due_seconds = static_cast<double>(checkpoint_every_ms_) / 1e3;
    if (watch_.seconds() - checkpoint_seconds_ < due_seconds) return;
    checkpoint_seconds_ = watch_.seconds();
    checkpoints_->BeginUnlessBusy(EncodeTrainingState(job_, run_, progress));
  }

  void Drained(const TrainingProgress& progress) override {
    if (checkpoints_ != nullptr)
      checkpoints_->BeginAndAwaitMark(EncodeTrainingState(job_, run_, progress));
  }

  void EpochEnded(const TrainingProgress& progress) override {
    const double seconds = watch_.seconds() - epoch_begin_seconds_;
    const auto examples = static_cast<double>(progress.run_examples_done - epoch_begin_examples_);
    if (json_) PrintLine(EpochEndEvent(rank_, progress, seconds > 0 ? examples / seconds : 0));
  }

  void TellOutcomes() {
    if (checkpoints_ == nullptr) return;
    for (const TrainingCheckpointOutcome& outcome : checkpoints_->TakeOutcomes()) {
      if (json_) PrintLine(CheckpointEvent(rank_, outcome));
      if (outcome.manifest.ok()) {
        LOG(INFO) << "checkpoint " << outcome.manifest->mark << " made in " << outcome.seconds
                  << " s";
      } else {
        LOG(ERROR) << outcome.manifest.status().message() << "; training goes on";
      }
    }
  }

  // Whether the run was completed or not: what is printed next begins on a line of its own.
  void Ended(const TrainingProgress& progress) { bar_.Finish(progress, watch_.seconds()); }

  void Completed(const TrainingProgress& progress) {
    const double seconds = watch_.seconds();
    PrintLine(json_ ? DoneEvent(rank_, progress, seconds)
                    : absl::StrFormat("rank %d: %d examples in %.1f s (%s examples/s), loss %.4f",
                                      rank_, progress.run_examples_done, seconds,
                                      FormatCount(progress.run_examples_done / seconds),
                                      progress.loss));
  }

 private:
  const uint32_t rank_;
  const bool json_;
  const JobIdentity job_;
  const RunShape run_;
  const uint64_t checkpoint_every_ms_;
  TrainingCheckpoints* const checkpoints_;
  const Stopwatch watch_;
  double checkpoint_seconds_ = 0;
  ProgressBar bar_;
  double epoch_begin_seconds_ = 0;
  uint64_t epoch_begin_examples_ = 0;
};

bool MakesCheckpoints(const WorkerOptions& options) {
  return options.trainer.schedule.rank == 0 &&
         (options.checkpoint.every_steps != 0 || options.checkpoint.every_ms != 0);
}

// Against the newest checkpoint, where there is one to be seen from here.
absl::Status CheckRecordedJob(const std::string& path, const JobIdentity& job,
                              const RunShape& run) {
  if (path.empty()) return absl::OkStatus();
  const auto directory = CheckpointDirectory::Open(path);
  if (!directory.ok()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto numbers, directory->Numbers());
  if (numbers.empty()) return absl::OkStatus();
  const auto newest = directory->Read(numbers.back());
  if (!newest.ok()) {
    LOG(WARNING) << "cannot compare this job with that of the newest checkpoint: "
                 << newest.status();
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(CheckSameJob(newest->user_data, job));
  const std::string changes = WhatChangesBits(newest->user_data, run);
  if (!changes.empty()) LOG(WARNING) << changes;
  return absl::OkStatus();
}

// The steps that need not be done again.
absl::StatusOr<uint64_t> StepsToSkip(const WorkerOptions& options, const JobIdentity& job,
                                     Step last_step) {
  if (!options.resume) return 0;
  RETURN_IF_ERROR(CheckRecordedJob(options.checkpoint.directory, job, ShapeOf(options)));
  if (last_step == Step(0)) {
    return absl::FailedPreconditionError(
        StrCat("there is nothing to resume: no shard has a step of client id ", options.client_id,
               "; start without --resume, or give the --client-id that the worker had before"));
  }
  LOG(INFO) << "going on after step " << last_step;
  return last_step.value();
}

absl::Status CheckShare(const WorkerOptions& options, size_t examples) {
  if (examples > UINT32_MAX) {
    return absl::InvalidArgumentError(StrCat(options.data_file, ": ", examples,
                                             " ratings, at most ", UINT32_MAX, " are possible"));
  }
  const ScheduleOptions& schedule = options.trainer.schedule;
  if (schedule.rank < examples) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat(options.data_file, ": ", examples,
                                           " ratings to train on leave none for rank ",
                                           schedule.rank, " of ", schedule.world));
}

}  // namespace

absl::Status RunTrain(const WorkerOptions& options) {
  ASSIGN_OR_RETURN(const auto ratings, ReadRatings(options.data_file, options.format));
  const Split split = HoldOut(ratings, options.folds, options.fold);
  RETURN_IF_ERROR(CheckShare(options, split.train.size()));
  const MatrixFactorization model(options.model, MeanRating(split.train), split.train);
  ASSIGN_OR_RETURN(const auto client, Client::Connect(options.client));
  ASSIGN_OR_RETURN(auto tables, CreateTables(*client, model.Tables()));
  const JobIdentity job = IdentityOf(split.train, options.trainer.schedule);
  TrainerOptions trainer_options = options.trainer;
  ASSIGN_OR_RETURN(trainer_options.steps_done, StepsToSkip(options, job, client->last_step()));
  TrainingCheckpoints checkpoints(*client, options.checkpoint);
  Reporter reporter(options, job, MakesCheckpoints(options) ? &checkpoints : nullptr);
  Trainer trainer(*client, model, std::move(tables), trainer_options, reporter);
  const absl::Status trained = trainer.Run();
  reporter.Ended(trainer.progress());
  if (trained.ok()) checkpoints.Finish();
  reporter.TellOutcomes();
  if (trained.ok()) reporter.Completed(trainer.progress());
  return trained;
}

}  // namespace rowhouse

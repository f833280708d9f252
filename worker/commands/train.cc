#include <chrono>

#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "worker/commands/commands.h"
#include "worker/commands/output.h"
#include "worker/data/folds.h"
#include "worker/events.h"
#include "worker/progress.h"

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

// Tells people by a progress bar, machines by events.
class Reporter : public TrainingObserver {
 public:
  explicit Reporter(const WorkerOptions& options)
      : rank_(options.trainer.schedule.rank), json_(options.json), bar_(ProgressBarOnStderr()) {}

  void EpochBegan(const TrainingProgress& progress) override {
    epoch_begin_seconds_ = watch_.seconds();
    epoch_begin_examples_ = progress.run_examples_done;
    if (json_) PrintLine(EpochBeginEvent(rank_, progress));
  }

  void Stepped(const TrainingProgress& progress) override {
    bar_.Update(progress, watch_.seconds());
  }

  void EpochEnded(const TrainingProgress& progress) override {
    const double seconds = watch_.seconds() - epoch_begin_seconds_;
    const auto examples = static_cast<double>(progress.run_examples_done - epoch_begin_examples_);
    if (json_) PrintLine(EpochEndEvent(rank_, progress, seconds > 0 ? examples / seconds : 0));
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
  const Stopwatch watch_;
  ProgressBar bar_;
  double epoch_begin_seconds_ = 0;
  uint64_t epoch_begin_examples_ = 0;
};

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
  Reporter reporter(options);
  Trainer trainer(*client, model, std::move(tables), options.trainer, reporter);
  const absl::Status trained = trainer.Run();
  reporter.Ended(trainer.progress());
  if (trained.ok()) reporter.Completed(trainer.progress());
  return trained;
}

}  // namespace rowhouse

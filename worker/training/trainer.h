// The training loop of one worker: pulls the rows of a batch, has the model compute gradients,
// pushes them; meanwhile the rows of the next batches are on their way.
//
//   ASSIGN_OR_RETURN(auto tables, CreateTables(*client, model.Tables()));
//   Trainer trainer(*client, model, tables, options, observer);
//   RETURN_IF_ERROR(trainer.Run());
//
// Prefetch has a fixed depth in steps: the pull of step n is made right after the push of step
// n - 1 - depth, so a pull misses this worker's last `depth` pushes and no others, whatever the
// timing. At most depth + 1 pulls and kPushesOpenMax + depth pushes are open at once.
//
// Every `drain_every_steps` steps the trainer stops for a moment: it makes no pull for a later step
// until all its pushes are acknowledged and the observer has returned, then fills its prefetch
// anew. So what a run does after such a step follows from the tables alone: a run that begins there
// does the same.
//
// Threading: Run() blocks the calling thread; the observer is called on it.
// Ownership: client, model and observer belong to the caller and outlive the trainer.
// Errors: the first failed pull or push ends the run; requests still open are waited for, because
//   the client uses the trainer's buffers until then.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/client.h"
#include "worker/models/model.h"
#include "worker/training/batch_schedule.h"

namespace rowhouse {

struct TrainerOptions {
  ScheduleOptions schedule;
  uint32_t epochs = 12;
  uint32_t start_epoch = 0;  // earlier ones are taken as done
  uint64_t steps_done = 0;   // so are these steps, across epochs
  uint32_t prefetch_steps = 1;
  uint64_t drain_every_steps = 0;  // 0: never
  // Asked before each step; then the run ends with Cancelled.
  std::function<bool()> cancelled = [] { return false; };
};

// How far a run is. Counts are of this run, losses of the epoch that it is in.
struct TrainingProgress {
  uint32_t epoch = 0;
  uint32_t epochs = 0;
  uint64_t step = 0;  // the last one pushed, across epochs
  uint64_t epoch_steps_done = 0;
  uint64_t epoch_steps = 0;
  uint64_t run_examples_done = 0;
  uint64_t run_examples = 0;  // that the whole run has
  uint64_t rows_pulled = 0;
  uint64_t rows_pushed = 0;
  double loss = 0;  // mean for each example of this epoch so far
};

class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  virtual void EpochBegan(const TrainingProgress&) {}
  virtual void Stepped(const TrainingProgress&) {}
  // All pushes of the epoch are acknowledged.
  virtual void EpochEnded(const TrainingProgress&) {}
  // All pushes up to this step are acknowledged, and nothing of a later one has been asked for.
  virtual void Drained(const TrainingProgress&) {}
};

absl::StatusOr<std::vector<Table>> CreateTables(Client& client,
                                                const std::vector<TableSpec>& specs);

class Trainer {
 public:
  static constexpr uint32_t kPushesOpenMax = 4;

  // REQUIRES: what BatchSchedule requires; tables are those of model.Tables(), in order.
  Trainer(Client& client, const Model& model, std::vector<Table> tables,
          const TrainerOptions& options, TrainingObserver& observer);

  // Once.
  absl::Status Run();

  const TrainingProgress& progress() const { return progress_; }

 private:
  // The buffers of one step, from its pull until its push is acknowledged.
  struct Slot {
    Batch batch;
    std::future<absl::Status> pulled;
    std::future<absl::Status> pushed;
  };

  absl::Status RunEpochs();
  absl::Status RunEpoch(uint32_t epoch, uint64_t first_step);
  absl::Status RunStep(uint64_t step);
  // Makes the pulls that may be open when all steps up to `done` are pushed.
  absl::Status FillPrefetch(uint64_t done);
  bool DrainsAfter(uint64_t step) const {
    return options_.drain_every_steps != 0 && step % options_.drain_every_steps == 0;
  }
  absl::Status StartPull(uint64_t step);
  absl::Status WaitForPushes();
  void CountStep(const Batch& batch, double loss);
  Slot& SlotOf(uint64_t step) { return slots_[step % slots_.size()]; }

  Client& client_;
  const Model& model_;
  const std::vector<Table> tables_;
  const TrainerOptions options_;
  TrainingObserver& observer_;
  BatchSchedule schedule_;
  const uint64_t first_step_;
  const uint64_t end_step_;  // one past the last
  uint64_t next_pull_;       // the step whose pull is made next
  std::vector<Slot> slots_;
  TrainingProgress progress_;
  double epoch_loss_ = 0;
  uint64_t epoch_examples_ = 0;
};

}  // namespace rowhouse

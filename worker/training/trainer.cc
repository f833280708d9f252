#include "worker/training/trainer.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "glog/logging.h"
#include "worker/training/batch_io.h"

namespace rowhouse {
namespace {

absl::Status WaitFor(std::future<absl::Status>& done) {
  return done.valid() ? done.get() : absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Table>> CreateTables(Client& client,
                                                const std::vector<TableSpec>& specs) {
  std::vector<Table> tables;
  for (const TableSpec& spec : specs) {
    ASSIGN_OR_RETURN(tables.emplace_back(), client.CreateTable(spec));
  }
  return tables;
}

Trainer::Trainer(Client& client, const Model& model, std::vector<Table> tables,
                 const TrainerOptions& options, TrainingObserver& observer)
    : client_(client),
      model_(model),
      tables_(std::move(tables)),
      options_(options),
      observer_(observer),
      schedule_(model.example_count(), options.schedule),
      end_step_(schedule_.FirstStepOf(options.epochs)),
      slots_(size_t{options.prefetch_steps} + 1 + kPushesOpenMax) {
  const uint32_t epochs_to_run = options.epochs - std::min(options.epochs, options.start_epoch);
  progress_.epochs = options.epochs;
  progress_.epoch_steps = schedule_.steps_per_epoch();
  progress_.run_examples = epochs_to_run * schedule_.share();
}

absl::Status Trainer::Run() {
  const absl::Status status = RunEpochs();
  for (Slot& slot : slots_) {
    WaitFor(slot.pulled).IgnoreError();
    WaitFor(slot.pushed).IgnoreError();
  }
  return status;
}

absl::Status Trainer::RunEpochs() {
  const uint64_t first_step = schedule_.FirstStepOf(options_.start_epoch);
  for (uint64_t ahead = 0; ahead <= options_.prefetch_steps; ++ahead) {
    RETURN_IF_ERROR(StartPull(first_step + ahead));
  }
  for (uint32_t epoch = options_.start_epoch; epoch < options_.epochs; ++epoch) {
    RETURN_IF_ERROR(RunEpoch(epoch));
  }
  return absl::OkStatus();
}

absl::Status Trainer::RunEpoch(uint32_t epoch) {
  progress_.epoch = epoch;
  progress_.epoch_steps_done = 0;
  progress_.loss = epoch_loss_ = 0;
  epoch_examples_ = 0;
  observer_.EpochBegan(progress_);
  const uint64_t first_step = schedule_.FirstStepOf(epoch);
  for (uint64_t i = 0; i < schedule_.steps_per_epoch(); ++i) {
    RETURN_IF_ERROR(RunStep(first_step + i));
  }
  // Whoever starts this worker again at the next epoch may rely on this one.
  RETURN_IF_ERROR(WaitForPushes());
  observer_.EpochEnded(progress_);
  return absl::OkStatus();
}

absl::Status Trainer::RunStep(uint64_t step) {
  Slot& slot = SlotOf(step);
  RETURN_IF_ERROR(WaitFor(slot.pulled));
  const double loss = model_.Gradients(&slot.batch);
  slot.pushed = client_.Push(Step(step), PushPartsOf(tables_, slot.batch));
  CountStep(slot.batch, loss);
  return StartPull(step + options_.prefetch_steps + 1);
}

absl::Status Trainer::StartPull(uint64_t step) {
  if (step >= end_step_) return absl::OkStatus();
  Slot& slot = SlotOf(step);
  RETURN_IF_ERROR(WaitFor(slot.pushed));
  model_.Prepare(schedule_.ExamplesOf(step), &slot.batch);
  slot.pulled = client_.Pull(Step(step), PullPartsOf(tables_, slot.batch));
  progress_.rows_pulled += RowCountOf(slot.batch);
  return absl::OkStatus();
}

absl::Status Trainer::WaitForPushes() {
  for (Slot& slot : slots_) RETURN_IF_ERROR(WaitFor(slot.pushed));
  return absl::OkStatus();
}

void Trainer::CountStep(const Batch& batch, double loss) {
  epoch_loss_ += loss;
  epoch_examples_ += batch.examples.size();
  progress_.epoch_steps_done += 1;
  progress_.run_examples_done += batch.examples.size();
  progress_.rows_pushed += RowCountOf(batch);
  progress_.loss = epoch_loss_ / static_cast<double>(epoch_examples_);
  observer_.Stepped(progress_);
}

}  // namespace rowhouse

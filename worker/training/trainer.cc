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
      first_step_(std::max(schedule_.FirstStepOf(options.start_epoch), options.steps_done + 1)),
      end_step_(schedule_.FirstStepOf(options.epochs)),
      next_pull_(first_step_),
      slots_(size_t{options.prefetch_steps} + 1 + kPushesOpenMax) {
  progress_.epochs = options.epochs;
  progress_.epoch_steps = schedule_.steps_per_epoch();
  const uint64_t all = options.epochs * schedule_.share();
  progress_.run_examples = all - std::min(all, schedule_.ExamplesBefore(first_step_));
  progress_.step = first_step_ - 1;
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
  RETURN_IF_ERROR(FillPrefetch(first_step_ - 1));
  for (uint64_t step = first_step_; step < end_step_;) {
    const auto epoch = static_cast<uint32_t>((step - 1) / schedule_.steps_per_epoch());
    RETURN_IF_ERROR(RunEpoch(epoch, step));
    step = schedule_.FirstStepOf(epoch + 1);
  }
  return absl::OkStatus();
}

absl::Status Trainer::RunEpoch(uint32_t epoch, uint64_t first_step) {
  progress_.epoch = epoch;
  progress_.epoch_steps_done = first_step - schedule_.FirstStepOf(epoch);
  progress_.loss = epoch_loss_ = 0;
  epoch_examples_ = 0;
  observer_.EpochBegan(progress_);
  for (uint64_t step = first_step; step < schedule_.FirstStepOf(epoch + 1); ++step) {
    RETURN_IF_ERROR(RunStep(step));
  }
  // Whoever starts this worker again at the next epoch may rely on this one.
  RETURN_IF_ERROR(WaitForPushes());
  observer_.EpochEnded(progress_);
  return absl::OkStatus();
}

absl::Status Trainer::RunStep(uint64_t step) {
  if (options_.cancelled()) return absl::CancelledError("training was stopped");
  Slot& slot = SlotOf(step);
  RETURN_IF_ERROR(WaitFor(slot.pulled));
  const double loss = model_.Gradients(&slot.batch);
  slot.pushed = client_.Push(Step(step), PushPartsOf(tables_, slot.batch));
  progress_.step = step;
  CountStep(slot.batch, loss);
  if (DrainsAfter(step)) {
    RETURN_IF_ERROR(WaitForPushes());
    observer_.Drained(progress_);
  }
  return FillPrefetch(step);
}

absl::Status Trainer::FillPrefetch(uint64_t done) {
  for (; next_pull_ <= done + options_.prefetch_steps + 1; ++next_pull_) {
    const uint64_t before = next_pull_ - 1;
    if (next_pull_ >= end_step_ || (before > done && DrainsAfter(before))) break;
    RETURN_IF_ERROR(StartPull(next_pull_));
  }
  return absl::OkStatus();
}

absl::Status Trainer::StartPull(uint64_t step) {
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

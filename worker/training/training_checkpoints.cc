#include "worker/training/training_checkpoints.h"

#include <glog/logging.h>

#include <utility>

#include "worker/checkpoint/checkpoint_directory.h"
#include "worker/checkpoint/checkpoint_prune.h"

namespace rowhouse {
namespace {

// Fulfils a promise once, whatever happens first.
class OnAnnounced : public CheckpointObserver {
 public:
  explicit OnAnnounced(std::promise<void> promise) : promise_(std::move(promise)) {}
  ~OnAnnounced() override { Tell(); }
  void Announced(Mark) override { Tell(); }

 private:
  void Tell() {
    if (!std::exchange(told_, true)) promise_.set_value();
  }

  std::promise<void> promise_;
  bool told_ = false;
};

void Prune(const TrainingCheckpointOptions& options) {
  const auto directory = CheckpointDirectory::Open(options.directory);
  if (!directory.ok()) return;
  const auto pruned = PruneCheckpoints(*directory, {.keep = options.keep}, false);
  if (!pruned.ok()) LOG(WARNING) << "old checkpoints are not removed: " << pruned.status();
}

}  // namespace

TrainingCheckpoints::TrainingCheckpoints(Client& client, const TrainingCheckpointOptions& options)
    : client_(client), options_(options) {}

TrainingCheckpoints::~TrainingCheckpoints() {
  cancellation_->Cancel();
  Finish();
}

void TrainingCheckpoints::BeginAndAwaitMark(std::string user_data) {
  Begin(std::move(user_data));
  announced_.wait();
}

void TrainingCheckpoints::BeginUnlessBusy(std::string user_data) {
  if (!IsBusy()) Begin(std::move(user_data));
}

void TrainingCheckpoints::Finish() {
  if (thread_.joinable()) thread_.join();
}

std::vector<TrainingCheckpointOutcome> TrainingCheckpoints::TakeOutcomes() {
  const std::lock_guard lock(mutex_);
  return std::exchange(outcomes_, {});
}

bool TrainingCheckpoints::IsBusy() const {
  return ended_.valid() && ended_.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
}

void TrainingCheckpoints::Begin(std::string user_data) {
  Finish();
  std::promise<void> announced;
  std::promise<void> ended;
  announced_ = announced.get_future();
  ended_ = ended.get_future();
  thread_ = std::thread([this, user_data = std::move(user_data), announced = std::move(announced),
                         ended = std::move(ended)]() mutable {
    const auto start = std::chrono::steady_clock::now();
    CheckpointOptions options;
    options.directory = options_.directory;
    options.user_data = std::move(user_data);
    options.leave_after_ms = options_.leave_after_ms;
    options.cancellation = cancellation_;
    TrainingCheckpointOutcome outcome{[&] {
      OnAnnounced observer(std::move(announced));
      return CreateCheckpoint(client_, options, observer);
    }()};
    outcome.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (outcome.manifest.ok() && options_.keep != 0) Prune(options_);
    {
      const std::lock_guard lock(mutex_);
      outcomes_.push_back(std::move(outcome));
    }
    ended.set_value();
  });
}

}  // namespace rowhouse

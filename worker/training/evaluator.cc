#include "worker/training/evaluator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "common/status_macros.h"
#include "glog/logging.h"
#include "worker/training/batch_io.h"

namespace rowhouse {
namespace {

// Pulls that are under way at once.
constexpr size_t kPullsOpenMax = 4;

// Walks all examples in order, a few batches ahead of the predictions.
class PredictionRun {
 public:
  PredictionRun(Client& client, const MatrixFactorization& model, const std::vector<Table>& tables,
                uint32_t batch_rows)
      : client_(client), model_(model), tables_(tables), batch_rows_(batch_rows) {}

  absl::StatusOr<std::vector<float>> Run() {
    const absl::Status status = RunBatches();
    for (Slot& slot : slots_) {  // the client uses their buffers until then
      if (slot.pulled.valid()) slot.pulled.wait();
    }
    if (!status.ok()) return status;
    return std::move(predictions_);
  }

 private:
  struct Slot {
    Batch batch;
    std::future<absl::Status> pulled;
  };

  absl::Status RunBatches() {
    for (Slot& slot : slots_) StartPull(slot);
    for (size_t i = 0; slots_[i].pulled.valid(); i = (i + 1) % kPullsOpenMax) {
      RETURN_IF_ERROR(slots_[i].pulled.get());
      const std::vector<float> predicted = model_.Predict(slots_[i].batch);
      predictions_.insert(predictions_.end(), predicted.begin(), predicted.end());
      StartPull(slots_[i]);
    }
    return absl::OkStatus();
  }

  void StartPull(Slot& slot) {
    const uint32_t count = std::min(batch_rows_, model_.example_count() - next_example_);
    if (count == 0) return;
    std::vector<uint32_t> examples(count);
    std::iota(examples.begin(), examples.end(), next_example_);
    next_example_ += count;
    model_.Prepare(examples, &slot.batch);
    slot.pulled = client_.Pull(Step(1), PullPartsOf(tables_, slot.batch));
  }

  Client& client_;
  const MatrixFactorization& model_;
  const std::vector<Table>& tables_;
  const uint32_t batch_rows_;
  uint32_t next_example_ = 0;
  std::array<Slot, kPullsOpenMax> slots_;
  std::vector<float> predictions_;
};

}  // namespace

absl::StatusOr<std::vector<float>> PredictAll(Client& client, const MatrixFactorization& model,
                                              const std::vector<Table>& tables,
                                              uint32_t batch_rows) {
  return PredictionRun(client, model, tables, batch_rows).Run();
}

double Rmse(std::span<const float> predictions, std::span<const Rating> ratings) {
  CHECK_EQ(predictions.size(), ratings.size());
  CHECK(!ratings.empty());
  double squares = 0;
  for (size_t i = 0; i < ratings.size(); ++i) {
    squares += std::pow(double{predictions[i]} - ratings[i].value, 2);
  }
  return std::sqrt(squares / static_cast<double>(ratings.size()));
}

}  // namespace rowhouse

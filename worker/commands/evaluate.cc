#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "worker/commands/commands.h"
#include "worker/commands/output.h"
#include "worker/data/folds.h"
#include "worker/events.h"
#include "worker/training/evaluator.h"

namespace rowhouse {
namespace {

constexpr uint32_t kBatchRows = 4096;

void PrintTable(const WorkerOptions& options, double rmse, const BaselineRmse& baselines,
                size_t test_examples) {
  PrintLine(absl::StrFormat("RMSE on %d held-out ratings (fold %d of %d)", test_examples,
                            *options.fold, options.folds));
  PrintLine(absl::StrFormat("  this model     %.4f", rmse));
  PrintLine(absl::StrFormat("  biases only    %.4f", baselines.bias_only));
  PrintLine(absl::StrFormat("  global mean    %.4f", baselines.global_mean));
}

}  // namespace

absl::Status RunEvaluate(const WorkerOptions& options) {
  ASSIGN_OR_RETURN(const auto ratings, ReadRatings(options.data_file, options.format));
  const Split split = HoldOut(ratings, options.folds, options.fold);
  if (split.test.empty() || split.train.empty()) {
    return absl::InvalidArgumentError(
        StrCat(options.data_file, ": too few ratings for ", options.folds, " folds"));
  }
  const MatrixFactorization model(options.model, MeanRating(split.train), split.test);
  ASSIGN_OR_RETURN(const auto client, Client::Connect(options.client));
  ASSIGN_OR_RETURN(const auto tables, CreateTables(*client, model.Tables()));
  ASSIGN_OR_RETURN(const auto predictions, PredictAll(*client, model, tables, kBatchRows));
  const double rmse = Rmse(predictions, split.test);
  const BaselineRmse baselines = RmseOfBaselines(split.train, split.test);
  if (options.json) {
    PrintLine(EvaluationJson(rmse, baselines, split.test.size()));
  } else {
    PrintTable(options, rmse, baselines, split.test.size());
  }
  return absl::OkStatus();
}

}  // namespace rowhouse

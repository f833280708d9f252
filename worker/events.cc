#include "worker/events.h"

#include <boost/json.hpp>

#include "worker/checkpoint/checkpoint_directory.h"

namespace rowhouse {

namespace json = boost::json;

std::string EpochBeginEvent(uint32_t rank, const TrainingProgress& progress) {
  return json::serialize(json::object{{"event", "epoch_begin"},
                                      {"rank", rank},
                                      {"epoch", progress.epoch},
                                      {"epochs", progress.epochs}});
}

std::string EpochEndEvent(uint32_t rank, const TrainingProgress& progress,
                          double examples_per_second) {
  return json::serialize(json::object{{"event", "epoch_end"},
                                      {"rank", rank},
                                      {"epoch", progress.epoch},
                                      {"epochs", progress.epochs},
                                      {"loss", progress.loss},
                                      {"examples_per_second", examples_per_second}});
}

std::string DoneEvent(uint32_t rank, const TrainingProgress& progress, double train_seconds) {
  const auto examples = static_cast<double>(progress.run_examples_done);
  return json::serialize(
      json::object{{"event", "done"},
                   {"rank", rank},
                   {"train_seconds", train_seconds},
                   {"examples", progress.run_examples_done},
                   {"examples_per_second", train_seconds > 0 ? examples / train_seconds : 0},
                   {"rows_pulled", progress.rows_pulled},
                   {"rows_pushed", progress.rows_pushed},
                   {"loss", progress.loss}});
}

std::string CheckpointEvent(uint32_t rank, const TrainingCheckpointOutcome& outcome) {
  json::object event{{"event", "checkpoint"}, {"rank", rank}};
  if (outcome.manifest.ok()) {
    event["checkpoint"] = outcome.manifest->mark.value();
    event["bytes"] = DistinctBytes(*outcome.manifest);
  } else {
    event["error"] = std::string(outcome.manifest.status().message());
  }
  event["seconds"] = outcome.seconds;
  return json::serialize(event);
}

std::string EvaluationJson(double rmse, const BaselineRmse& baselines, uint64_t test_examples) {
  return json::serialize(json::object{{"rmse", rmse},
                                      {"rmse_global_mean", baselines.global_mean},
                                      {"rmse_bias_only", baselines.bias_only},
                                      {"test_examples", test_examples}});
}

std::string NearestJson(const std::string& title, const std::vector<NearTitle>& nearest) {
  json::array list;
  for (const NearTitle& near : nearest) {
    list.push_back(json::object{{"title", near.title}, {"cosine", near.cosine}});
  }
  return json::serialize(json::object{{"title", title}, {"nearest", list}});
}

}  // namespace rowhouse

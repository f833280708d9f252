// What rowhouse-worker prints with --json: one object, without its line end. Scripts and launchers
// rely on names and meanings; fields are only ever added.
//
// Threading: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/models/bias_baseline.h"
#include "worker/training/nearest.h"
#include "worker/training/trainer.h"
#include "worker/training/training_checkpoints.h"

namespace rowhouse {

// {"event":"epoch_begin","rank":0,"epoch":0,"epochs":12}
std::string EpochBeginEvent(uint32_t rank, const TrainingProgress& progress);
// {"event":"epoch_end","rank":0,"epoch":0,"epochs":12,"loss":0.4,"examples_per_second":1e5}
std::string EpochEndEvent(uint32_t rank, const TrainingProgress& progress,
                          double examples_per_second);
// {"event":"done","rank":0,"train_seconds":9.5,"examples":960000,"examples_per_second":1e5,
//  "rows_pulled":1,"rows_pushed":1,"loss":0.3}; the loss is the last epoch's mean.
std::string DoneEvent(uint32_t rank, const TrainingProgress& progress, double train_seconds);

// {"event":"checkpoint","rank":0,"checkpoint":7,"bytes":1000,"seconds":0.5}, or instead of
// checkpoint and bytes: "error":"..."
std::string CheckpointEvent(uint32_t rank, const TrainingCheckpointOutcome& outcome);

// {"rmse":0.9,"rmse_global_mean":1.1,"rmse_bias_only":0.94,"test_examples":20000}
std::string EvaluationJson(double rmse, const BaselineRmse& baselines, uint64_t test_examples);

// {"title":"A","nearest":[{"title":"B","cosine":0.9}]}
std::string NearestJson(const std::string& title, const std::vector<NearTitle>& nearest);

}  // namespace rowhouse

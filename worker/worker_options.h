// Everything that rowhouse-worker can be told, its flags, and the checks that involve several.
//
// Threading: plain values, const once main has checked them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/config.h"
#include "worker/client.h"
#include "worker/data/ratings.h"
#include "worker/models/matrix_factorization.h"
#include "worker/training/trainer.h"
#include "worker/training/training_checkpoints.h"

namespace rowhouse {

struct WorkerOptions {
  ClientOptions client;
  uint64_t client_id = 0;  // becomes client.client
  std::string cluster_file;

  std::string data_file;
  RatingsFormat format = RatingsFormat::kAuto;
  uint32_t folds = 5;
  std::optional<uint32_t> fold;  // held out of training; nullopt: nothing is

  TrainerOptions trainer;
  TrainingCheckpointOptions checkpoint;
  bool resume = false;  // after the last step that the shards know of this client id
  MatrixFactorizationOptions model;
  uint64_t seed = 1;  // of initial values, shuffles and generated data

  std::string items_file;
  std::vector<std::string> titles;
  uint32_t ratings_min = 20;
  std::string out_directory;

  bool json = false;
};

// `options` outlives `settings`.
void BindWorkerSettings(WorkerOptions& options, Settings& settings);

// Name, commands and examples for --help.
Program WorkerProgram(std::string version);

// Reads the cluster file where there is one, copies what several parts share (the seed), and checks
// that `command` has all it needs. Errors name the flag.
absl::Status FinishWorkerOptions(std::string_view command, WorkerOptions& options);

}  // namespace rowhouse

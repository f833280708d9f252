#include "worker/worker_options.h"

#include <limits>

#include "common/cluster_file.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "worker/client/call_checks.h"

namespace rowhouse {
namespace {

constexpr uint32_t kAny32 = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kAny64 = std::numeric_limits<uint64_t>::max();
constexpr uint32_t kTimeoutMaxMs = 24 * 3600 * 1000;

void BindCluster(WorkerOptions& options, Settings& settings) {
  ClientOptions& client = options.client;
  settings.Section("cluster", "Cluster");
  settings.TextList("servers", &client.servers, "HOST:PORT",
                    "Servers of the cluster, in any order; unix:/path for a Unix-domain socket");
  settings.Text("cluster", &options.cluster_file, "FILE",
                "Cluster file that lists the servers, instead of --servers");
  settings.Section("client", "Client");
  settings.Integer("client_id", &options.client_id, {0, kAny64}, "",
                   "Name of this worker towards the servers. One that is started again under the "
                   "same id fences its former self. 0: a random one");
  settings.Switch("prefer_local", &client.prefer_local,
                  "Talk to servers of this host and user over a Unix-domain socket that they tell "
                  "of, instead of TCP");
  settings.Integer("connect_timeout_ms", &client.connect_timeout_ms, {1, kTimeoutMaxMs}, "ms",
                   "How long to try to reach a server");
  settings.Integer("request_timeout_ms", &client.request_timeout_ms, {1, kTimeoutMaxMs}, "ms",
                   "How long a request may take, over all its retries");
  settings.Integer("backoff_min_ms", &client.backoff_min_ms, {1, kTimeoutMaxMs}, "ms",
                   "First pause before a lost connection is made again");
  settings.Integer("backoff_max_ms", &client.backoff_max_ms, {1, kTimeoutMaxMs}, "ms",
                   "Longest pause; they double in between");
  settings.Integer("lease_ms", &client.lease_ms, {kLeaseMsMin, kLeaseMsMax}, "ms",
                   "How often a training worker tells the servers that it is alive");
  settings.Integer("requests_in_flight_max", &client.requests_in_flight_max, {1, 65536}, "requests",
                   "Pulls and pushes that may be under way at once");
  settings.Integer("frame_bytes_max", &client.frame_bytes_max, {4096, 1ull << 30}, "bytes",
                   "Largest frame that is accepted from a server");
}

void BindData(WorkerOptions& options, Settings& settings) {
  settings.Section("data", "Data");
  settings.Text("data", &options.data_file, "FILE",
                "Ratings: u.data, ratings.dat or ratings.csv of MovieLens");
  settings.Choice("format", &options.format,
                  {{"auto", RatingsFormat::kAuto},
                   {"u.data", RatingsFormat::kUData},
                   {"ratings.dat", RatingsFormat::kRatingsDat},
                   {"ratings.csv", RatingsFormat::kRatingsCsv}},
                  "Format of the ratings; auto tells it from the first line");
  settings.Integer("folds", &options.folds, {2, 1000}, "folds",
                   "Parts that the ratings are divided into, the same on every machine");
  settings.OptionalInteger("fold", &options.fold, {0, 999}, "",
                           "The part that is held out of training and that evaluate looks at; "
                           "none: train on everything");
  settings.Text("items", &options.items_file, "FILE",
                "Titles: u.item, movies.dat or movies.csv of MovieLens (nearest)");
  settings.RepeatedText("title", &options.titles, "TEXT",
                        "Part of a title whose neighbours are wanted; may be repeated (nearest)");
  settings.Integer("ratings_min", &options.ratings_min, {0, kAny32}, "ratings",
                   "Items with fewer ratings in --data are no neighbours (nearest)");
  settings.Text("out", &options.out_directory, "DIR",
                "Directory for u.data, u.item and generated.json (generate)");
}

void BindTraining(WorkerOptions& options, Settings& settings) {
  TrainerOptions& trainer = options.trainer;
  settings.Section("training", "Training");
  settings.Integer("epochs", &trainer.epochs, {1, 1000000}, "epochs", "Passes over the data");
  settings.Integer("start_epoch", &trainer.start_epoch, {0, 1000000}, "",
                   "Resume at the start of this epoch, counted from 0");
  settings.Integer("batch_rows", &trainer.schedule.batch_rows, {1, 1 << 20}, "examples",
                   "Examples in one step");
  settings.Integer("prefetch_steps", &trainer.prefetch_steps, {0, 64}, "steps",
                   "How many steps ahead rows are pulled; they then miss as many of this worker's "
                   "own pushes. 0: none");
  settings.Integer("rank", &trainer.schedule.rank, {0, 65535}, "",
                   "Which of the workers this one is, from 0");
  settings.Integer("world", &trainer.schedule.world, {1, 65536}, "workers",
                   "Workers of this job; each takes its part of the data");
  settings.Integer("seed", &options.seed, {0, kAny64}, "",
                   "Seed of initial values, of the order of examples and of generated data; the "
                   "same for all workers of a job");
}

void BindCheckpoints(WorkerOptions& options, Settings& settings) {
  TrainingCheckpointOptions& checkpoint = options.checkpoint;
  settings.Section("checkpoint", "Checkpoints: made by rank 0 while training goes on");
  settings.Text("checkpoint_dir", &checkpoint.directory, "DIR",
                "Where they go; servers and rank 0 must see it under the same path");
  settings.Integer(
      "checkpoint_every_steps", &checkpoint.every_steps, {0, kAny64}, "steps",
      "Make one each time after as many steps. Every worker then waits until its "
      "pushes are acknowledged, so give all of them the same number. 0: none by steps");
  settings.Integer("checkpoint_every_ms", &checkpoint.every_ms, {0, kAny64}, "ms",
                   "Make one when as much time has passed; no worker waits. 0: none by time");
  settings.Integer("checkpoint_keep", &checkpoint.keep, {0, kAny32}, "checkpoints",
                   "Remove all but the newest ones. 0: keep all");
  settings.Integer("checkpoint_leave_after_ms", &checkpoint.leave_after_ms, {0, kTimeoutMaxMs},
                   "ms",
                   "Workers that were silent for as long do not hold up a checkpoint. 0: they do");
  settings.Switch("resume", &options.resume,
                  "Go on after the last step that the servers have of this --client-id");
}

void BindModel(WorkerOptions& options, Settings& settings) {
  MatrixFactorizationOptions& model = options.model;
  settings.Section("model", "Model: biased matrix factorization, trained with Adagrad");
  settings.Integer("dim", &model.dim, {1, kDimMax}, "floats", "Factors of each user and item");
  settings.Number("lr", &model.lr, {0, 1e6}, "", "Learning rate");
  settings.Number("lr_decay", &model.lr_decay, {0, 1e6}, "",
                  "Learning rate of step n: lr / (1 + (n - 1) * lr_decay)");
  settings.Number("l2", &model.l2, {0, 1e3}, "",
                  "L2 of the factors, once for each batch that touches a row");
  settings.Number("l2_bias", &model.l2_bias, {0, 1e3}, "", "L2 of the users' and items' biases");
  settings.Number("init_stddev", &model.init_stddev, {0, 1e6}, "",
                  "Standard deviation of the factors' initial values");
  settings.Number("initial_accumulator_value", &model.initial_accumulator_value, {0, 1e30}, "",
                  "Where Adagrad's sums of squared gradients start");
  settings.Choice(
      "durability", &model.durability,
      {{"memory", Durability::kMemory}, {"log", Durability::kLog}, {"fsync", Durability::kFsync}},
      "What the acknowledgement of a push waits for: nothing, the log with the "
      "operating system (survives a killed server), the log on the disk");
}

absl::Status Missing(std::string_view command, std::string_view flag, std::string_view what) {
  return absl::InvalidArgumentError(StrCat(command, " needs ", flag, ": ", what));
}

absl::Status FinishServers(std::string_view command, WorkerOptions& options) {
  auto& servers = options.client.servers;
  if (!options.cluster_file.empty()) {
    if (!servers.empty()) {
      return absl::InvalidArgumentError("give --servers or --cluster, not both");
    }
    ASSIGN_OR_RETURN(const ClusterFile cluster, ReadClusterFile(options.cluster_file));
    servers = cluster.servers;
  }
  if (!servers.empty()) return absl::OkStatus();
  return Missing(command, "--servers or --cluster", "where the servers are");
}

absl::Status CheckCheckpoints(const WorkerOptions& options) {
  const TrainingCheckpointOptions& checkpoint = options.checkpoint;
  const bool is_periodic = checkpoint.every_steps != 0 || checkpoint.every_ms != 0;
  if (is_periodic && checkpoint.directory.empty()) {
    return absl::InvalidArgumentError(
        "flag --checkpoint-every-steps or --checkpoint-every-ms is given, but not "
        "--checkpoint-dir: where the checkpoints go");
  }
  if (!options.resume) return absl::OkStatus();
  if (options.client_id == 0) {
    return absl::InvalidArgumentError(
        "flag --resume needs --client-id: the one that the worker had before");
  }
  if (options.trainer.start_epoch != 0) {
    return absl::InvalidArgumentError(
        "give --resume or --start-epoch, not both: --resume goes on where the servers are");
  }
  return absl::OkStatus();
}

absl::Status CheckRanges(const WorkerOptions& options) {
  const ScheduleOptions& schedule = options.trainer.schedule;
  if (schedule.rank >= schedule.world) {
    return absl::InvalidArgumentError(StrCat("flag --rank is ", schedule.rank,
                                             ", expected less than --world, which is ",
                                             schedule.world));
  }
  if (options.fold && *options.fold >= options.folds) {
    return absl::InvalidArgumentError(StrCat("flag --fold is ", *options.fold,
                                             ", expected less than --folds, which is ",
                                             options.folds));
  }
  if (options.client.backoff_min_ms > options.client.backoff_max_ms) {
    return absl::InvalidArgumentError(StrCat(
        "flag --backoff-min-ms is ", options.client.backoff_min_ms,
        " ms, expected at most --backoff-max-ms, which is ", options.client.backoff_max_ms, " ms"));
  }
  return absl::OkStatus();
}

}  // namespace

void BindWorkerSettings(WorkerOptions& options, Settings& settings) {
  BindCluster(options, settings);
  BindData(options, settings);
  BindTraining(options, settings);
  BindCheckpoints(options, settings);
  BindModel(options, settings);
  settings.Section("output", "Output");
  settings.Switch("json", &options.json, "Print JSON, one object in a line, instead of text");
}

Program WorkerProgram(std::string version) {
  return {
      .name = "rowhouse-worker",
      .version = std::move(version),
      .summary = "Trains and uses a recommender whose tables lie on Rowhouse servers.",
      .commands = {{"train", "Trains on ratings, as one of --world workers."},
                   {"evaluate",
                    "Prints the error on the held-out fold. Give the model flags of the training."},
                   {"nearest",
                    "Prints the ten nearest items of some titles. Give the model flags of the "
                    "training."},
                   {"generate", "Writes made-up ratings whose best possible error is known."},
                   {"stats", "Prints the counters of every shard."}},
      .examples = {"rowhouse-worker --servers 10.0.0.1:7600,10.0.0.2:7600 --data u.data --fold 0",
                   "rowhouse-worker train --cluster c.toml --data u.data --rank 1 --world 2",
                   "rowhouse-worker train --cluster c.toml --data u.data --client-id 7 "
                   "--checkpoint-dir /mnt/checkpoints --checkpoint-every-steps 1000",
                   "rowhouse-worker train --cluster c.toml --data u.data --client-id 7 --resume",
                   "rowhouse-worker evaluate --cluster c.toml --data u.data --fold 0",
                   "rowhouse-worker nearest --cluster c.toml --items u.item --title 'Star Wars'",
                   "rowhouse-worker generate --out ratings --seed 7",
                   "rowhouse-worker stats --servers unix:/run/rowhouse/ps"}};
}

absl::Status FinishWorkerOptions(std::string_view command, WorkerOptions& options) {
  RETURN_IF_ERROR(CheckRanges(options));
  RETURN_IF_ERROR(CheckCheckpoints(options));
  options.model.seed = options.trainer.schedule.seed = options.seed;
  options.client.client = ClientId(options.client_id);
  options.trainer.drain_every_steps = options.checkpoint.every_steps;
  options.client.read_only = command != "train";
  options.client.program = StrCat("rowhouse-worker rank ", options.trainer.schedule.rank);
  if (command == "generate") {
    if (!options.out_directory.empty()) return absl::OkStatus();
    return Missing(command, "--out", "where to write");
  }
  RETURN_IF_ERROR(FinishServers(command, options));
  const bool reads_data = command == "train" || command == "evaluate";
  if (reads_data && options.data_file.empty()) {
    return Missing(command, "--data", "the file of ratings");
  }
  if (command == "evaluate" && !options.fold) {
    return Missing(command, "--fold", "the part that training held out");
  }
  if (command == "nearest" && options.items_file.empty()) {
    return Missing(command, "--items", "the file of titles");
  }
  return absl::OkStatus();
}

}  // namespace rowhouse

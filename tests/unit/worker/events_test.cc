#include "worker/events.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace rowhouse {
namespace {

using boost::json::parse;

TrainingProgress Progress() {
  TrainingProgress progress;
  progress.epoch = 3;
  progress.epochs = 12;
  progress.run_examples_done = 1000;
  progress.rows_pulled = 21;
  progress.rows_pushed = 20;
  progress.loss = 0.25;
  return progress;
}

TEST(Events, HaveTheFieldsThatLaunchersReadOnOneLine) {
  EXPECT_EQ(EpochBeginEvent(1, Progress()),
            R"({"event":"epoch_begin","rank":1,"epoch":3,"epochs":12})");
  EXPECT_EQ(parse(EpochEndEvent(1, Progress(), 500)),
            parse(R"({"event":"epoch_end","rank":1,"epoch":3,"epochs":12,"loss":0.25,
                      "examples_per_second":500.0})"));
  EXPECT_EQ(parse(DoneEvent(1, Progress(), 2)),
            parse(R"({"event":"done","rank":1,"train_seconds":2.0,"examples":1000,
                      "examples_per_second":500.0,"rows_pulled":21,"rows_pushed":20,
                      "loss":0.25})"));
  EXPECT_EQ(EpochEndEvent(1, Progress(), 500).find('\n'), std::string::npos);
}

TEST(Events, ADoneRunOfNoTimeIsStillJson) {
  EXPECT_EQ(parse(DoneEvent(0, {}, 0)).at("examples_per_second").to_number<double>(), 0);
}

TEST(Events, ReportEvaluationAndNeighbours) {
  EXPECT_EQ(parse(EvaluationJson(0.9, {1.125, 0.94}, 20000)),
            parse(R"({"rmse":0.9,"rmse_global_mean":1.125,"rmse_bias_only":0.94,
                      "test_examples":20000})"));
  EXPECT_EQ(parse(NearestJson("A \"q\"", {{"B", 0.5}})),
            parse(R"({"title":"A \"q\"","nearest":[{"title":"B","cosine":0.5}]})"));
}

TEST(Events, ACheckpointIsToldWithItsNumberOrItsError) {
  CheckpointManifest manifest;
  manifest.mark = Mark(7);
  manifest.shards.push_back({ShardId(0), Lsn(1), Lsn(2), {{"a", "rows/a", 30, 1}}});
  const boost::json::value made = parse(CheckpointEvent(0, {manifest, 0.5}));
  EXPECT_EQ(made.at("event").as_string(), "checkpoint");
  EXPECT_EQ(made.at("checkpoint").to_number<int>(), 7);
  EXPECT_EQ(made.at("bytes").to_number<int>(), 30);
  EXPECT_EQ(made.at("seconds").as_double(), 0.5);
  const boost::json::value failed = parse(CheckpointEvent(0, {absl::AbortedError("shard 1"), 0.5}));
  EXPECT_EQ(failed.at("error").as_string(), "shard 1");
  EXPECT_FALSE(failed.as_object().contains("checkpoint"));
}

}  // namespace
}  // namespace rowhouse

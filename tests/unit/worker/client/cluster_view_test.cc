#include "worker/client/cluster_view.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/refusal.h"
#include "common/wire/frame.h"

namespace rowhouse {
namespace {

ServerAnswer Server(const std::string& name, const std::vector<uint32_t>& shards) {
  ServerAnswer server;
  server.server = name;
  server.answer = {1, Timeline(77), Epoch(1), 14, 4, {}, 1 << 20, 1000};
  for (const uint32_t shard : shards) server.answer.shards.push_back(ShardId(shard));
  return server;
}

std::string MessageOf(const std::vector<ServerAnswer>& answers) {
  const auto view = CombineAnswers(answers);
  EXPECT_FALSE(view.ok());
  return std::string(view.status().message());
}

void ExpectNames(const std::string& message, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    EXPECT_NE(message.find(name), std::string::npos) << name << " in: " << message;
  }
}

TEST(ClusterView, FindsEveryShardsHost) {
  const std::vector<ServerAnswer> answers = {Server("a:1", {2, 0}), Server("b:2", {3, 1})};
  const auto view = CombineAnswers(answers);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->timeline, Timeline(77));
  EXPECT_EQ(view->epoch, Epoch(1));
  EXPECT_EQ(view->shard_count, 4u);
  EXPECT_EQ(view->hosts, (std::vector<uint32_t>{0, 1, 0, 1}));
}

TEST(ClusterView, KeepsTheStrictestLimits) {
  std::vector<ServerAnswer> answers = {Server("a:1", {0, 1}), Server("b:2", {2, 3})};
  answers[0].answer.keys_per_request_max = 10;
  answers[1].answer.frame_bytes_max = 5000;
  const auto view = CombineAnswers(answers);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->limits.keys_max, 10u);
  EXPECT_EQ(view->limits.frame_bytes_max, 5000u);
}

TEST(ClusterView, AMissingShardNamesTheServersAsked) {
  ExpectNames(MessageOf({Server("a:1", {0, 1}), Server("b:2", {3})}),
              {"shard 2 of 4", "a:1", "b:2"});
}

TEST(ClusterView, AShardOnTwoServersNamesBoth) {
  ExpectNames(MessageOf({Server("a:1", {0, 1}), Server("c:3", {}), Server("b:2", {1, 2, 3})}),
              {"shard 1", "a:1", "b:2"});
}

TEST(ClusterView, ServersOfDifferentClustersAreNamedWithWhatDiffers) {
  std::vector<ServerAnswer> answers = {Server("a:1", {0, 1}), Server("b:2", {2, 3})};
  answers[1].answer.timeline = Timeline(78);
  ExpectNames(MessageOf(answers), {"timeline", "77 at a:1", "78 at b:2"});
  answers[1] = Server("b:2", {2, 3});
  answers[1].answer.epoch = Epoch(2);
  ExpectNames(MessageOf(answers), {"epoch", "a:1", "b:2"});
  answers[1] = Server("b:2", {2, 3});
  answers[1].answer.shard_count = 5;
  ExpectNames(MessageOf(answers), {"shards", "4 at a:1", "5 at b:2"});
}

TEST(ClusterView, RefusesAnswersThatMakeNoSense) {
  const auto reason = [](auto change) {
    std::vector<ServerAnswer> answers = {Server("a:1", {0, 1, 2, 3})};
    change(&answers[0].answer);
    const auto view = CombineAnswers(answers);
    EXPECT_NE(std::string(view.status().message()).find("a:1"), std::string::npos);
    return ReasonOf(view.status());
  };
  EXPECT_EQ(reason([](HelloAnswer* a) { a->version = 0; }), RefusalReason::kBadVersion);
  EXPECT_EQ(reason([](HelloAnswer* a) { a->version = kProtocolVersionMax + 1; }),
            RefusalReason::kBadVersion);
  EXPECT_EQ(reason([](HelloAnswer* a) { a->slot_bits = 15; }), RefusalReason::kMalformed);
  EXPECT_EQ(reason([](HelloAnswer* a) { a->shard_count = 0; }), RefusalReason::kMalformed);
  EXPECT_EQ(reason([](HelloAnswer* a) { a->shard_count = 4097; }), RefusalReason::kMalformed);
  EXPECT_EQ(reason([](HelloAnswer* a) { a->shards[2] = ShardId(4); }), RefusalReason::kMalformed);
  EXPECT_EQ(reason([](HelloAnswer* a) { a->shards[2] = ShardId(1); }), RefusalReason::kMalformed);
  EXPECT_EQ(reason([](HelloAnswer* a) { a->frame_bytes_max = 0; }), RefusalReason::kMalformed);
  EXPECT_EQ(reason([](HelloAnswer* a) { a->keys_per_request_max = 0; }), RefusalReason::kMalformed);
}

TEST(ClusterView, OfNoServersIsAnError) { EXPECT_FALSE(CombineAnswers({}).ok()); }

}  // namespace
}  // namespace rowhouse

#include "worker/client/push_plan.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "common/refusal.h"
#include "common/wire/data.h"
#include "tests/unit/worker/client/plan_test_support.h"

namespace rowhouse {
namespace {

constexpr RequestLimits kLimits{1 << 20, 64 << 20};
constexpr Table kUser{TableId(11), Generation(1), 2};
constexpr Table kItem{TableId(22), Generation(2), 1};

PushIdentity SomeIdentity() {
  return {ClientId(1), Incarnation(2), Sequence(30), Sequence(4), Mark(5)};
}

using Gradients = std::map<std::pair<TableId, Key>, std::vector<float>>;

// What the servers would see: every key once, on its own shard.
Gradients Send(std::vector<Request> requests, const SlotMap& slots) {
  Gradients seen;
  for (Request& request : requests) {
    StampPush(SomeIdentity(), &request);
    SealFrame(&request, 9);
    const WireBytes bytes = BytesOf(request);
    const Decoded decoded = DecodeFrame(bytes.span(), kLimits.frame_bytes_max);
    EXPECT_EQ(decoded.result, DecodeResult::kGood) << decoded.status;
    const auto push = PushView::Parse(decoded.frame.body, kLimits.keys_max);
    EXPECT_TRUE(push.ok()) << push.status();
    const PushHeader& header = push->header();
    EXPECT_EQ(header.client, ClientId(1));
    EXPECT_EQ(header.incarnation, Incarnation(2));
    EXPECT_EQ(header.sequence, Sequence(30));
    EXPECT_EQ(header.unretried_below, Sequence(4));
    EXPECT_EQ(header.mark, Mark(5));
    EXPECT_EQ(header.step, Step(6));
    EXPECT_EQ(header.part_count, requests.size());
    EXPECT_EQ(header.epoch, slots.epoch());
    EXPECT_EQ(header.first_shard, request.shard);
    for (uint32_t i = 0; i < push->section_count(); ++i) {
      const PushSection section = push->section(i);
      EXPECT_GT(section.keys.size(), 0u);
      for (size_t k = 0; k < section.keys.size(); ++k) {
        EXPECT_EQ(slots.ShardOf(section.header.table, section.keys[k]), request.shard);
        const auto row = section.gradients.subspan(k * section.header.dim, section.header.dim);
        const bool is_new =
            seen.try_emplace({section.header.table, section.keys[k]}, row.begin(), row.end())
                .second;
        EXPECT_TRUE(is_new);
      }
    }
  }
  return seen;
}

TEST(PlanPush, SendsEveryKeyOnceWithItsSum) {
  for (const uint32_t shard_count : {1, 2, 3, 5}) {
    std::vector<Key> users;
    std::vector<float> user_gradients;
    for (uint64_t i = 0; i < 100; ++i) {
      users.push_back(Key(i % 60));
      user_gradients.push_back(static_cast<float>(i));
      user_gradients.push_back(1);
    }
    const std::vector<Key> items = {Key(7)};
    const std::vector<float> item_gradients = {0.5f};
    const SlotMap slots(shard_count, Epoch(8));
    auto requests = PlanPush(
        Step(6), {{kUser, users, user_gradients}, {kItem, items, item_gradients}}, slots, kLimits);
    ASSERT_TRUE(requests.ok()) << requests.status();
    EXPECT_EQ(requests->size(), shard_count);
    const Gradients seen = Send(*std::move(requests), slots);
    ASSERT_EQ(seen.size(), 61u);
    EXPECT_EQ(seen.at({kItem.id, Key(7)}), std::vector<float>{0.5f});
    EXPECT_EQ(seen.at({kUser.id, Key(3)}), (std::vector<float>{3 + 63, 2}));
    EXPECT_EQ(seen.at({kUser.id, Key(50)}), (std::vector<float>{50, 1}));
  }
}

TEST(PlanPush, TouchesOnlyShardsThatHaveAKey) {
  const std::vector<Key> keys = {Key(7)};
  const std::vector<float> gradients = {1};
  const SlotMap slots(64);
  const auto requests = PlanPush(Step(6), {{kItem, keys, gradients}}, slots, kLimits);
  ASSERT_TRUE(requests.ok());
  ASSERT_EQ(requests->size(), 1u);
  EXPECT_EQ((*requests)[0].shard, slots.ShardOf(kItem.id, Key(7)));
}

TEST(PlanPush, TakesUniqueGradientsOfOneShardFromTheCallersArray) {
  const std::vector<Key> keys = {Key(7), Key(8)};
  const std::vector<float> gradients = {1, 2, 3, 4};
  const auto requests = PlanPush(Step(6), {{kUser, keys, gradients}}, SlotMap(1), kLimits);
  ASSERT_TRUE(requests.ok());
  ASSERT_EQ((*requests)[0].pieces.size(), 2u);
  EXPECT_EQ(static_cast<const void*>((*requests)[0].pieces[0].data()), keys.data());
  EXPECT_EQ(static_cast<const void*>((*requests)[0].pieces[1].data()), gradients.data());
}

TEST(PlanPush, RefusesWhatDoesNotFitIntoOneFrame) {
  const std::vector<Key> keys = {Key(1), Key(2), Key(3)};
  const std::vector<float> gradients(3);
  const auto plan = [&](RequestLimits limits) {
    return PlanPush(Step(6), {{kItem, keys, gradients}}, SlotMap(1), limits).status();
  };
  // 40 + 64 + 24 + 3 * 12 = 164, padded to 168.
  EXPECT_TRUE(plan({3, 168}).ok());
  EXPECT_EQ(ReasonOf(plan({2, 168})), RefusalReason::kTooManyKeys);
  EXPECT_EQ(ReasonOf(plan({3, 167})), RefusalReason::kFrameTooLarge);
  const std::string message(plan({2, 168}).message());
  EXPECT_NE(message.find("keys_per_request_max is 2"), std::string::npos) << message;
}

TEST(PlanPush, CountsAKeyOnceHoweverOftenItRepeats) {
  const std::vector<Key> keys(100, Key(1));
  const std::vector<float> gradients(100);
  EXPECT_TRUE(PlanPush(Step(6), {{kItem, keys, gradients}}, SlotMap(1), {1, 4096}).ok());
}

TEST(PlanPush, RefusesTooManyTables) {
  const std::vector<Key> keys = {Key(1)};
  const std::vector<float> gradients(1);
  std::vector<PushPart> parts;
  for (uint64_t i = 0; i <= kSectionCountMax; ++i) {
    parts.push_back({Table{TableId(i), Generation(1), 1}, keys, gradients});
  }
  const auto requests = PlanPush(Step(6), parts, SlotMap(1), kLimits);
  EXPECT_EQ(ReasonOf(requests.status()), RefusalReason::kTooManyTables);
}

TEST(PlanPush, RefusesAnswersThatMakeNoSense) {
  const std::vector<Key> keys = {Key(1)};
  const std::vector<float> gradients(1);
  const auto requests = PlanPush(Step(6), {{kItem, keys, gradients}}, SlotMap(1), kLimits);
  ASSERT_TRUE(requests.ok());
  const auto accept = [&](const PushAnswer& answer) {
    return (*requests)[0].accept(std::as_bytes(std::span(&answer, 1)));
  };
  EXPECT_TRUE(accept({Lsn(1), Mark(0), 0, 0}).ok());
  EXPECT_TRUE(accept({Lsn(1), Mark(0), 1, 0}).ok());
  EXPECT_EQ(ReasonOf(accept({Lsn(1), Mark(0), 2, 0})), RefusalReason::kMalformed);
  EXPECT_EQ(ReasonOf(accept({Lsn(1), Mark(0), 0, 1})), RefusalReason::kMalformed);
  for (const size_t body_bytes : {0, 23, 25}) {
    const std::vector<std::byte> body(body_bytes);
    EXPECT_EQ(ReasonOf((*requests)[0].accept(body)), RefusalReason::kMalformed);
  }
}

}  // namespace
}  // namespace rowhouse

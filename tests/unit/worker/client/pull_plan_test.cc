#include "worker/client/pull_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "common/refusal.h"
#include "common/wire/data.h"
#include "tests/unit/worker/client/plan_test_support.h"

namespace rowhouse {
namespace {

constexpr RequestLimits kLimits{1 << 20, 64 << 20};
constexpr Table kUser{TableId(11), Generation(1), 4};
constexpr Table kItem{TableId(22), Generation(2), 1};

float ValueOf(TableId table, Key key, uint32_t column) {
  return static_cast<float>(table.value() * 10000 + key.value() * 10 + column);
}

// What a server would answer.
std::vector<std::byte> AnswerTo(const PullView& pull) {
  std::vector<float> rows;
  for (uint32_t i = 0; i < pull.section_count(); ++i) {
    const PullSection section = pull.section(i);
    for (const Key key : section.keys) {
      for (uint32_t j = 0; j < section.header.dim; ++j) {
        rows.push_back(ValueOf(section.header.table, key, j));
      }
    }
  }
  const PullAnswerHeader header{Lsn(1), Mark(0), static_cast<uint32_t>(pull.row_count()), 0};
  std::vector<std::byte> body(sizeof(header) + rows.size() * sizeof(float));
  std::memcpy(body.data(), &header, sizeof(header));
  if (!rows.empty()) {
    std::memcpy(body.data() + sizeof(header), rows.data(), rows.size() * sizeof(float));
  }
  return body;
}

struct Caller {
  std::vector<Key> user_keys;
  std::vector<Key> item_keys;
  std::vector<float> user_rows;
  std::vector<float> item_rows;

  Caller(size_t users, size_t items) : user_rows(users * kUser.dim), item_rows(items) {
    for (size_t i = 0; i < users; ++i) user_keys.push_back(Key(i * i % 50));
    for (size_t i = 0; i < items; ++i) item_keys.push_back(Key(i));
  }
  std::vector<PullPart> parts() {
    return {{kUser, user_keys, user_rows}, {kItem, item_keys, item_rows}};
  }
  void ExpectFilled() const {
    for (size_t i = 0; i < user_keys.size(); ++i) {
      for (uint32_t j = 0; j < kUser.dim; ++j) {
        ASSERT_EQ(user_rows[i * kUser.dim + j], ValueOf(kUser.id, user_keys[i], j)) << i;
      }
    }
    for (size_t i = 0; i < item_keys.size(); ++i) {
      ASSERT_EQ(item_rows[i], ValueOf(kItem.id, item_keys[i], 0)) << i;
    }
  }
};

void Serve(std::vector<Request> requests, const SlotMap& slots, const RequestLimits& limits) {
  uint64_t id = 0;
  for (Request& request : requests) {
    SealFrame(&request, ++id);
    const WireBytes bytes = BytesOf(request);
    const Decoded decoded = DecodeFrame(bytes.span(), limits.frame_bytes_max);
    ASSERT_EQ(decoded.result, DecodeResult::kGood) << decoded.status;
    ASSERT_EQ(decoded.frame_bytes, bytes.size);
    EXPECT_EQ(decoded.frame.op(), Op::kPull);
    const auto pull = PullView::Parse(decoded.frame.body, limits.keys_max);
    ASSERT_TRUE(pull.ok()) << pull.status();
    EXPECT_EQ(pull->header().step, Step(5));
    EXPECT_EQ(pull->header().epoch, slots.epoch());
    for (uint32_t i = 0; i < pull->section_count(); ++i) {
      const PullSection section = pull->section(i);
      EXPECT_GT(section.header.row_count, 0u);
      for (const Key key : section.keys) {
        EXPECT_EQ(slots.ShardOf(section.header.table, key), request.shard);
      }
    }
    EXPECT_TRUE(request.accept(AnswerTo(*pull)).ok());
  }
}

TEST(PlanPull, FillsEveryRowOfEveryTable) {
  for (const uint32_t shard_count : {1, 2, 3, 5}) {
    Caller caller(100, 70);
    const SlotMap slots(shard_count, Epoch(3));
    auto requests = PlanPull(Step(5), caller.parts(), slots, kLimits);
    ASSERT_TRUE(requests.ok()) << requests.status();
    EXPECT_EQ(requests->size(), shard_count);
    Serve(*std::move(requests), slots, kLimits);
    caller.ExpectFilled();
  }
}

TEST(PlanPull, CutsLargePullsAndStillFillsEveryRow) {
  Caller caller(100, 70);
  const SlotMap slots(2);
  const RequestLimits limits{7, 4096};
  auto requests = PlanPull(Step(5), caller.parts(), slots, limits);
  ASSERT_TRUE(requests.ok()) << requests.status();
  EXPECT_GT(requests->size(), 10u);
  Serve(*std::move(requests), slots, limits);
  caller.ExpectFilled();
}

TEST(PlanPull, TakesUniqueKeysOfOneShardFromTheCallersArray) {
  Caller caller(0, 10);
  const auto requests = PlanPull(Step(5), caller.parts(), SlotMap(1), kLimits);
  ASSERT_TRUE(requests.ok()) << requests.status();
  ASSERT_EQ(requests->size(), 1u);
  ASSERT_EQ((*requests)[0].pieces.size(), 1u);
  EXPECT_EQ(static_cast<const void*>((*requests)[0].pieces[0].data()), caller.item_keys.data());
}

TEST(PlanPull, OfNothingSendsNothing) {
  Caller caller(0, 0);
  const auto requests = PlanPull(Step(5), caller.parts(), SlotMap(3), kLimits);
  ASSERT_TRUE(requests.ok());
  EXPECT_TRUE(requests->empty());
}

TEST(PlanPull, RefusesAnswersOfAnotherSizeOrCount) {
  Caller caller(0, 3);
  const auto requests = PlanPull(Step(5), caller.parts(), SlotMap(1), kLimits);
  ASSERT_TRUE(requests.ok());
  const Request& request = (*requests)[0];
  PullAnswerHeader header{Lsn(1), Mark(0), 3, 0};
  for (const size_t body_bytes : {0, 8, 16, 23, 24, 32, 35, 37, 40}) {
    std::vector<std::byte> body(body_bytes);
    const auto head = std::as_bytes(std::span(&header, 1));
    std::copy_n(head.begin(), std::min(head.size(), body_bytes), body.begin());
    EXPECT_EQ(ReasonOf(request.accept(body)), RefusalReason::kMalformed) << body_bytes;
  }
  std::vector<std::byte> body(sizeof(header) + 3 * sizeof(float));
  std::memcpy(body.data(), &header, sizeof(header));
  EXPECT_TRUE(request.accept(body).ok());
  header.row_count = 4;
  std::memcpy(body.data(), &header, sizeof(header));
  EXPECT_EQ(ReasonOf(request.accept(body)), RefusalReason::kMalformed);
  header = {Lsn(1), Mark(0), 3, 1};
  std::memcpy(body.data(), &header, sizeof(header));
  EXPECT_EQ(ReasonOf(request.accept(body)), RefusalReason::kMalformed);
}

}  // namespace
}  // namespace rowhouse

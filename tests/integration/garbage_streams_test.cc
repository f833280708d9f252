// Thousands of streams of garbage against one server: it goes on serving others, counts every
// refusal by its reason, and what it has logged meanwhile comes back after a stop and after a
// crash.
//
// How the counting is checked: a stream is sent, its sending side is ended, and everything that the
// server says until it closes is read. Each refusal is one error frame, so the error frames by
// reason must equal the movement of the counters by reason, stream by stream.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "common/refusal.h"
#include "storage/initializer.h"
#include "tests/integration/garbage_stream.h"
#include "tests/integration/raw_client.h"
#include "tests/integration/test_server.h"

namespace rowhouse {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kStreams = 2000;
#else
constexpr uint64_t kStreams = 10000;
#endif
constexpr uint64_t kSeed = 20261124;  // --gtest_shuffle --gtest_random_seed=N tries others
constexpr uint64_t kStreamsPerCheck = 200;
constexpr uint32_t kShards = 2;

using Refusals = std::map<std::string, uint64_t>;

// A client that does everything right, on both shards, and knows what its rows must be.
class GoodClient {
 public:
  explicit GoodClient(const std::string& endpoint) : keys_(kShards), rows_(kShards) {
    spec_.name = "good";
    spec_.dim = 3;
    spec_.seed = 4;
    spec_.initializer = Initializer::Uniform(-1, 1);
    spec_.adagrad.lr = 0.1;
    spec_.adagrad.initial_accumulator_value = 0.5;
    for (uint32_t i = 0; i < kShards; ++i) {
      keys_[i] = KeysOnShard(spec_, ShardId(i), kShards, 5);
      for (const Key key : keys_[i]) {
        std::vector<float> row(spec_.dim);
        InitialWeights(spec_.initializer, spec_.seed, TableIdOf(spec_.name), key, row);
        rows_[i].insert(rows_[i].end(), row.begin(), row.end());
      }
    }
    states_.assign(kShards, std::vector<float>(5 * spec_.dim, 0.5f));
    Connect(endpoint);
  }

  void Connect(const std::string& endpoint) {
    shards_.clear();
    for (uint32_t i = 0; i < kShards; ++i) {
      shards_.push_back(*RawClient::Greet(endpoint, ShardId(i)));
      RawClient& shard = shards_.back();
      ASSERT_TRUE(shard.Ask<CreateTableAnswer>(Op::kCreateTable, CreateTable{spec_}).ok());
      ASSERT_TRUE(shard.Ask<OpenClientAnswer>(Op::kOpenClient, open_).ok());
    }
  }

  // Pushes to every row and checks every bit of what is there then.
  void PushAndCheck() {
    ++sequence_;
    for (uint32_t i = 0; i < kShards; ++i) {
      const auto answer = shards_[i].Push(NextPush(i));
      ASSERT_TRUE(answer.ok()) << answer.status();
      EXPECT_EQ(answer->duplicate, 0u);
    }
    Check();
  }

  void Check() {
    for (uint32_t i = 0; i < kShards; ++i) {
      const auto rows = shards_[i].Pull(spec_, keys_[i]);
      ASSERT_TRUE(rows.ok()) << rows.status();
      EXPECT_EQ(*rows, rows_[i]);
    }
  }

  RawClient& shard(uint32_t i) { return shards_[i]; }

 private:
  TestPush NextPush(uint32_t shard) {
    TestPush push;
    push.client = open_.client;
    push.incarnation = open_.incarnation;
    push.sequence = push.unretried_below = Sequence(sequence_);
    push.step = Step(sequence_);
    push.first_shard = ShardId(shard);
    TestSection section;
    section.table = TableIdOf(spec_.name);
    section.dim = spec_.dim;
    section.keys = keys_[shard];
    for (size_t i = 0; i < rows_[shard].size(); ++i) {
      const float gradient = 0.01f * static_cast<float>((sequence_ + i) % 17) - 0.08f;
      section.gradients.push_back(gradient);
      states_[shard][i] += gradient * gradient;
      rows_[shard][i] -= (0.1f * gradient) / (std::sqrt(states_[shard][i]) + 1e-10f);
    }
    push.sections = {std::move(section)};
    return push;
  }

  TableSpec spec_;
  OpenClient open_{ClientId(0x600D600D600D600D), Incarnation(1)};
  uint64_t sequence_ = 0;
  std::vector<std::vector<Key>> keys_;      // by shard
  std::vector<std::vector<float>> rows_;    // by shard, what they must be
  std::vector<std::vector<float>> states_;  // by shard
  std::vector<RawClient> shards_;
};

class GarbageStreams : public testing::Test {
 protected:
  static ServerOptions Options() {
    ServerOptions options;
    options.shards = kShards;
    options.limits.frame_bytes_max = 1 << 20;
    return options;
  }

  void SetUp() override {
    target_.name = "target";
    target_.dim = 4;
    target_.initializer = Initializer::Normal(0, 1);
    target_.durability = Durability::kMemory;
    ASSERT_TRUE(server_.Start().ok());
    good_.emplace(server_.endpoint(Transport::kUnix));
    for (uint32_t i = 0; i < kShards; ++i) {
      target_keys_.push_back(KeysOnShard(target_, ShardId(i), kShards, 40));
      const auto created =
          good_->shard(i).Ask<CreateTableAnswer>(Op::kCreateTable, CreateTable{target_});
      ASSERT_TRUE(created.ok()) << created.status();
    }
    counted_ = RefusalsCounted();
  }

  uint64_t seed() const {
    return kSeed + static_cast<uint64_t>(testing::UnitTest::GetInstance()->random_seed());
  }

  Refusals RefusalsCounted() {
    Refusals refusals;
    const auto counters = good_->shard(0).Counters();
    EXPECT_TRUE(counters.ok()) << counters.status();
    if (!counters.ok()) return refusals;
    for (const auto& [name, value] : *counters) {
      if (name.starts_with("server_refused_")) refusals[name] = value;
    }
    return refusals;
  }

  // Sends it all and reads until the server closes; adds the refusals to `counted_`.
  void Say(const GarbageStream& stream, Transport transport) {
    auto connection = RawClient::Connect(server_.endpoint(transport));
    ASSERT_TRUE(connection.ok()) << connection.status();
    ASSERT_TRUE(connection->Send(stream.bytes).ok());
    connection->EndSending();
    while (true) {
      const auto frame = connection->Receive();
      if (!frame.ok()) {
        ASSERT_EQ(RefusalReasonName(ReasonOf(frame.status())), "disconnected") << frame.status();
        EXPECT_THAT(std::string(frame.status().message()), testing::HasSubstr("the server closed"));
        return;
      }
      const absl::Status refusal = RefusalIn(*frame);
      good_answers_ += refusal.ok();
      if (refusal.ok()) continue;
      ASSERT_NE(ReasonOf(refusal), RefusalReason::kNone) << refusal;
      EXPECT_FALSE(refusal.message().empty());
      EXPECT_LT(refusal.message().size(), 1000u);
      ++counted_["server_refused_" + std::string(RefusalReasonName(ReasonOf(refusal)))];
    }
  }

  // Rows and numbers that a restart must bring back, to the last bit.
  struct State {
    std::vector<std::vector<float>> target;
    std::vector<std::map<std::string, uint64_t>> counters;
    bool operator==(const State&) const = default;
  };
  State StateNow() {
    State state;
    for (uint32_t i = 0; i < kShards; ++i) {
      state.target.push_back(*good_->shard(i).Pull(target_, target_keys_[i]));
      const auto counters = *good_->shard(i).Counters();
      std::map<std::string, uint64_t> kept;
      for (const char* name : {"rows", "tables", "clients"}) kept[name] = counters.at(name);
      state.counters.push_back(std::move(kept));
    }
    return state;
  }

  TableSpec target_;
  std::vector<std::vector<Key>> target_keys_;  // by shard
  TestServer server_{Options()};
  std::optional<GoodClient> good_;
  Refusals counted_;
  uint64_t good_answers_ = 0;
};

TEST_F(GarbageStreams, LeaveTheServerServingAndItsLogReplayable) {
  const GarbageMaker maker(seed(), target_, kShards);
  for (uint64_t i = 0; i < kStreams && !HasFailure(); ++i) {
    const GarbageStream stream = maker.Make(i);
    SCOPED_TRACE(StrCat("seed ", seed(), ", stream ", i, ": ", stream.what));
    ASSERT_NO_FATAL_FAILURE(Say(stream, i % 4 < 2 ? Transport::kUnix : Transport::kTcp));
    EXPECT_EQ(RefusalsCounted(), counted_);
    if (i % kStreamsPerCheck == 0) good_->PushAndCheck();
  }
  ASSERT_FALSE(HasFailure());
  // The garbage went deep enough to mean something.
  EXPECT_GE(counted_.size(), 18u) << testing::PrintToString(counted_);
  EXPECT_GT(good_answers_, kStreams / 2);
  for (const auto& [name, count] : counted_) RecordProperty(name, static_cast<int>(count));
  good_->PushAndCheck();

  // As if the server had been killed here: what is on disk now must do.
  const State before = StateNow();
  for (const auto& rows : before.target) {
    for (const float weight : rows) EXPECT_TRUE(std::isfinite(weight));
  }
  TestServer crashed(Options());
  std::filesystem::copy(server_.data_dir(), crashed.data_dir(),
                        std::filesystem::copy_options::recursive);
  EXPECT_TRUE(server_.Stop().ok());
  const auto check = [&](TestServer& server) {
    const absl::Status started = server.Start();
    ASSERT_TRUE(started.ok()) << started;
    good_->Connect(server.endpoint(Transport::kTcp));
    good_->Check();
    EXPECT_EQ(StateNow(), before);
  };
  {
    SCOPED_TRACE("after a crash");
    check(crashed);
    EXPECT_TRUE(crashed.Stop().ok());
  }
  SCOPED_TRACE("after a stop");
  check(server_);
  good_->PushAndCheck();
}

}  // namespace
}  // namespace rowhouse

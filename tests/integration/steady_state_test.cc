// What one request costs once everything is warm: memory from the heap, calls of the system,
// wake-ups, counted on the shard's thread, the client's loop and the caller.
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/cluster_fixture.h"
#include "tests/integration/thread_counts.h"

namespace rowhouse {
namespace {

constexpr uint32_t kDim = 16;
constexpr uint64_t kRequests = 1000;

struct Setting {
  const char* name;
  Durability durability;
  size_t rows;  // of a request
  bool local;   // over the Unix-domain socket
};

struct Costs {
  ThreadCounts shard;
  ThreadCounts loop;
  ThreadCounts caller;
};

std::string Text(const char* who, const ThreadCounts& counts) {
  return StrCat("\n  ", who, ": ", counts.allocations, " allocations, ", counts.sends, " sends, ",
                counts.receives, " receives, ", counts.polls, " polls, ", counts.sleeps, " sleeps");
}

std::string Text(const Costs& costs) {
  return StrCat(kRequests, " requests:", Text("shard", costs.shard), Text("loop", costs.loop),
                Text("caller", costs.caller));
}

class SteadyState : public testing::TestWithParam<Setting> {
 protected:
  void SetUp() override {
    if (!CountsThreads()) GTEST_SKIP() << "the sanitizers bring an allocator of their own";
    cluster_.emplace(ClusterShape{});
    const std::set<pid_t> before = Threads();
    ClientOptions options = cluster_->client_options();
    options.lease_ms = 600 * 1000;
    options.prefer_local = GetParam().local;
    client_ = TestCluster::Connect(options);
    ASSERT_NE(client_, nullptr);
    // The loop has said hello; the resolver's thread sends nothing.
    for (const pid_t thread : Threads()) {
      if (!before.contains(thread) && CountsOf(thread).sends > 0) loop_ = thread;
    }
    ASSERT_NE(loop_, 0);
    shard_ = ThreadNamed("shard-0").value_or(0);
    ASSERT_NE(shard_, 0);
    TableSpec spec = UniformTable("user", kDim);
    spec.durability = GetParam().durability;
    const auto table = client_->CreateTable(spec);
    ASSERT_TRUE(table.ok()) << table.status();
    table_ = *table;
    for (size_t i = 0; i < keys_.size(); ++i) keys_[i] = Key(1000 + i);
    Measure([this] { Push(); });  // the rows are there, and everything has its size
  }

  void Pull() { ASSERT_TRUE(client_->Pull(Step(1), {{table_, keys_, floats_}}).get().ok()); }
  void Push() { ASSERT_TRUE(client_->Push(Step(1), {{table_, keys_, gradients_}}).get().ok()); }

  ThreadCounts Since(pid_t thread, const ThreadCounts& before) const {
    return Difference(CountsOf(thread), before);
  }

  // One request at a time. What others on the machine do can only add to it, so the least of a few
  // measurements counts.
  template <typename Ask>
  Costs Measure(Ask ask) {
    for (uint64_t i = 0; i < kRequests; ++i) ask();  // warms up
    Costs least = MeasureOnce(ask);
    for (int again = 0; again < 2; ++again) {
      const Costs costs = MeasureOnce(ask);
      least.shard = Least(least.shard, costs.shard);
      least.loop = Least(least.loop, costs.loop);
      least.caller = Least(least.caller, costs.caller);
    }
    return least;
  }

  template <typename Ask>
  Costs MeasureOnce(Ask ask) {
    const ThreadCounts shard = CountsOf(shard_);
    const ThreadCounts loop = CountsOf(loop_);
    const ThreadCounts caller = CountsOf(::gettid());
    for (uint64_t i = 0; i < kRequests; ++i) ask();
    const ThreadCounts caller_after = CountsOf(::gettid());
    return {Since(shard_, shard), Since(loop_, loop), Difference(caller_after, caller)};
  }

  std::optional<TestCluster> cluster_;
  std::unique_ptr<Client> client_;
  pid_t shard_ = 0;
  pid_t loop_ = 0;
  Table table_;
  std::vector<Key> keys_ = std::vector<Key>(GetParam().rows);
  std::vector<float> floats_ = std::vector<float>(GetParam().rows * kDim);
  std::vector<float> gradients_ = std::vector<float>(GetParam().rows * kDim, 0.25f);
};

// Above what each request needs lies what happens now and then: a buffer that the push log still
// holds, the lock of a queue that is contended.
constexpr uint64_t kNowAndThen = kRequests / 20;
// Sleeps for a lock that another thread holds, which are more where others use the processors.
constexpr uint64_t kLocks = kRequests / 2;
// What a caller takes for the plan of a request, its shares and the future.
constexpr uint64_t kCallerAllocations = 30 * kRequests;

// Rows of kDim in a push of 64 KiB, less its head.
constexpr size_t kSmallPushRows = 900;

// The loop wakes up for the answer alone, mostly: not for every part of a large one.
void ExpectSentByCaller(const Costs& costs) {
  EXPECT_LE(costs.caller.allocations, kCallerAllocations);
  EXPECT_LE(costs.caller.sleeps, kRequests + kLocks);
  EXPECT_LE(costs.loop.allocations, kNowAndThen);
  EXPECT_LE(costs.loop.sends, kNowAndThen);
  EXPECT_LE(costs.loop.sleeps, kRequests + kLocks);
}

// It wakes up once for the caller, once for the server's answer, and takes one block: that of the
// caller's wake-up ends in Asio's cache of two, where it is too small for a read and drives out the
// one that was not.
void ExpectSentByLoop(const Costs& costs) {
  EXPECT_EQ(costs.caller.sends, 0u);
  EXPECT_LE(costs.caller.allocations, kCallerAllocations);
  EXPECT_LE(costs.caller.sleeps, kRequests + kLocks);
  EXPECT_LE(costs.loop.allocations, kRequests + kNowAndThen);
  EXPECT_GE(costs.loop.sends, kRequests);
  EXPECT_LE(costs.loop.sends, kRequests + kNowAndThen);
  EXPECT_LE(costs.loop.sleeps, 2 * kRequests + kLocks);
}

TEST_P(SteadyState, Pull) {
  const Costs costs = Measure([this] { Pull(); });
  SCOPED_TRACE(Text(costs));
  RecordProperty("costs", Text(costs));
  EXPECT_EQ(costs.shard.allocations, 0u);
  EXPECT_LE(costs.shard.sends, kRequests + kNowAndThen);
  EXPECT_LE(costs.shard.sleeps, kRequests + kLocks);
  ExpectSentByCaller(costs);
}

TEST_P(SteadyState, Push) {
  const Costs costs = Measure([this] { Push(); });
  SCOPED_TRACE(Text(costs));
  RecordProperty("costs", Text(costs));
  const bool gathers = GetParam().durability == Durability::kMemory;
  // None where the log keeps up; a buffer of 64 KiB for 15 requests where it lets them gather.
  EXPECT_LE(costs.shard.allocations, gathers ? kRequests / 10 : kNowAndThen);
  EXPECT_LE(costs.shard.sends, kRequests + kNowAndThen);
  // Once for the request, and once for the log's answer, or for what gathers in 10 ms.
  EXPECT_LE(costs.shard.polls, gathers ? kRequests * 7 / 4 : 2 * kRequests + kLocks);
  EXPECT_LE(costs.shard.sleeps, 2 * kRequests + kLocks);
  GetParam().rows > kSmallPushRows ? ExpectSentByLoop(costs) : ExpectSentByCaller(costs);
}

INSTANTIATE_TEST_SUITE_P(, SteadyState,
                         testing::Values(Setting{"Memory", Durability::kMemory, 64, true},
                                         Setting{"Log", Durability::kLog, 64, true},
                                         Setting{"MemoryTcp", Durability::kMemory, 64, false},
                                         Setting{"LogTcp", Durability::kLog, 64, false},
                                         Setting{"LogLarge", Durability::kLog, 4096, true},
                                         Setting{"LogLargeTcp", Durability::kLog, 4096, false}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace rowhouse

// Requests that a shard must refuse: each by name, without any trace but a counter.
#include <cmath>
#include <limits>

#include "tests/integration/bad_input_fixture.h"

namespace rowhouse {
namespace {

// Where a field lies in a push body, to set what the builder would never write.
constexpr size_t kSectionAt = sizeof(PushHeader);

template <typename T>
void Put(const T& value, size_t at, std::vector<std::byte>* body) {
  std::memcpy(body->data() + at, &value, sizeof(value));
}

class BadInput : public BadInputFixture {
 protected:
  void SetUp() override {
    ServerOptions options = TestServer::InMemory();
    options.limits.keys_per_request_max = 64;
    options.limits.frame_bytes_max = 16384;
    options.limits.dedup_entries_max = 8;
    options.limits.tables_max = 2;
    options.limits.clients_max = 1;
    StartServer(std::move(options));
  }

  std::vector<std::byte> PullBodyOf(const TableSpec& spec, std::vector<Key> keys) {
    TestSection section;
    section.table = TableIdOf(spec.name);
    section.dim = spec.dim;
    section.keys = std::move(keys);
    return PullBody({&section, 1});
  }

  void ExpectBadGradient(float gradient, const std::string& shown) {
    TestPush push = PushOf({keys_[1], keys_[2]});
    push.sections[0].gradients[6] = gradient;
    ExpectRefused(push, RefusalReason::kBadGradient,
                  {"table 'user'", StrCat("key ", keys_[2].value(), ":"), "element 2", shown});
  }

  void ExpectConflict(const TableSpec& spec, const std::string& here, const std::string& there) {
    ExpectRefused(Op::kCreateTable, EncodeControl(CreateTable{spec}), RefusalReason::kTableConflict,
                  {"table 'user'", StrCat(here, " on the server, ", there, " in this request")});
  }

  void ExpectBadSpec(TableSpec spec, const std::string& words) {
    spec.name = "new";
    ExpectRefused(Op::kCreateTable, EncodeControl(CreateTable{spec}), RefusalReason::kBadTableSpec,
                  {"table 'new'", words});
  }
};

TEST_P(BadInput, UnknownTable) {
  TestPush push = PushOf({keys_[1]});
  push.sections[0].table = TableIdOf("item");
  ExpectRefused(push, RefusalReason::kUnknownTable, {"create it first"});
  TableSpec item = user_;
  item.name = "item";
  ExpectRefused(Op::kPull, PullBodyOf(item, {keys_[1]}), RefusalReason::kUnknownTable, {"table "});
}

TEST_P(BadInput, WrongDim) {
  TestPush push = PushOf({keys_[1]});
  push.sections[0].dim = 3;
  push.sections[0].gradients.resize(3);
  ExpectRefused(push, RefusalReason::kWrongDim,
                {"table 'user'", "dim is 4 on the server, 3 in this request"});
  TableSpec other = user_;
  other.dim = 5;
  ExpectRefused(Op::kPull, PullBodyOf(other, {keys_[1]}), RefusalReason::kWrongDim,
                {"dim is 4 on the server, 5 in this request"});
}

TEST_P(BadInput, WrongGeneration) {
  TestPush push = PushOf({keys_[1]});
  push.sections[0].generation = Generation(3);
  ExpectRefused(push, RefusalReason::kWrongGeneration,
                {"table 'user'", "generation is 1 on the server, 3 in this request"});
}

TEST_P(BadInput, DuplicateKeysOnTheWire) {
  ExpectRefused(
      PushOf({keys_[1], known_, keys_[1]}), RefusalReason::kDuplicateKey,
      {"table 'user'", StrCat("key ", keys_[1].value(), " occurs twice"), "positions 0 and 2"});
}

TEST_P(BadInput, GradientsThatNoRowSurvives) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  ExpectBadGradient(std::nanf(""), "nan");
  ExpectBadGradient(kInfinity, "inf");
  ExpectBadGradient(-kInfinity, "-inf");
  ExpectBadGradient(std::nextafter(kGradientAbsMax, kInfinity), "1e+15");
}

TEST_P(BadInput, TheKnownRowIsUntouchedByABadGradientElsewhereInThePush) {
  TestPush push = PushOf({known_, keys_[1]});
  push.sections[0].gradients[7] = std::nanf("");
  ExpectRefused(push, RefusalReason::kBadGradient, {StrCat("key ", keys_[1].value(), ":")});
}

TEST_P(BadInput, StepZero) {
  TestPush push = PushOf({keys_[1]});
  push.step = Step(0);
  ExpectRefused(push, RefusalReason::kBadStep, {"step is 0"});
}

TEST_P(BadInput, SequenceZeroOrBelowWhatIsGivenUp) {
  TestPush push = PushOf({keys_[1]});
  push.sequence = Sequence(0);
  push.unretried_below = Sequence(0);
  ExpectRefused(push, RefusalReason::kMalformed, {"sequence 0"});
  push.sequence = Sequence(5);
  push.unretried_below = Sequence(6);
  ExpectRefused(push, RefusalReason::kMalformed, {"sequence 5", "unretried_below, 6"});
}

TEST_P(BadInput, FirstShardBeyondTheCluster) {
  TestPush push = PushOf({keys_[1]});
  push.first_shard = ShardId(kBadInputShards);
  ExpectRefused(push, RefusalReason::kMalformed, {"first_shard is 2"});
}

TEST_P(BadInput, KeyOfAnotherShard) {
  const std::string words =
      StrCat("key ", elsewhere_.value(), " belongs to shard 1, this is shard 0");
  ExpectRefused(PushOf({keys_[1], elsewhere_}), RefusalReason::kWrongShard,
                {"table 'user'", words});
  ExpectRefused(Op::kPull, PullBodyOf(user_, {elsewhere_}), RefusalReason::kWrongShard, {words});
}

TEST_P(BadInput, StaleEpoch) {
  TestPush push = PushOf({keys_[1]});
  push.epoch = Epoch(9);
  ExpectRefused(push, RefusalReason::kStaleEpoch, {"1 on the server, 9 in this request"});
}

TEST_P(BadInput, ClientThatNeverOpened) {
  TestPush push = PushOf({keys_[1]});
  push.client = ClientId(8);
  ExpectRefused(push, RefusalReason::kNotOpened, {"client 8 incarnation 1", "open it"});
  push.client = client_.client;
  push.incarnation = Incarnation(2);
  ExpectRefused(push, RefusalReason::kNotOpened, {"client 7 incarnation 2"});
}

TEST_P(BadInput, FencedIncarnation) {
  const OpenClient second{client_.client, Incarnation(2)};
  ASSERT_TRUE(control_->Ask<OpenClientAnswer>(Op::kOpenClient, second).ok());
  ExpectRefused(PushOf({keys_[1]}), RefusalReason::kFenced,
                {"client 7", "incarnation 1 was replaced by 2"});
  ExpectRefused(Op::kOpenClient, EncodeControl(client_), RefusalReason::kFenced, {"client 7"});
}

TEST_P(BadInput, IncarnationZero) {
  ExpectRefused(Op::kOpenClient, EncodeControl(OpenClient{ClientId(9), Incarnation(0)}),
                RefusalReason::kMalformed, {"incarnations count from 1"});
}

TEST_P(BadInput, NumberBelowTheWindow) {
  TestPush push = PushOf({known_});
  push.sequence = Sequence(9);
  push.unretried_below = Sequence(9);
  ASSERT_TRUE(control_->Push(push).ok());
  push.sequence = Sequence(8);
  push.unretried_below = Sequence(2);
  ExpectRefused(push, RefusalReason::kBelowWindow, {"push 8", "begins at 9"});
}

TEST_P(BadInput, MorePushesKeptForRetryThanTheWindowHolds) {
  while (next_sequence_ <= 8) ASSERT_TRUE(control_->Push(PushOf({known_})).ok());
  ExpectRefused(PushOf({known_}), RefusalReason::kWindowFull, {"dedup_entries_max is 8"});
}

TEST_P(BadInput, ConflictingTableSpec) {
  TableSpec other = user_;
  other.dim = 8;
  ExpectConflict(other, "dim is 4", "8");
  other = user_;
  other.adagrad.lr = 0.5;
  ExpectConflict(other, "lr is 0.01", "0.5");
  other = user_;
  other.durability = Durability::kFsync;
  ExpectConflict(other, "durability is log", "fsync");
}

TEST_P(BadInput, TableSpecOutOfBounds) {
  TableSpec spec = user_;
  spec.dim = 0;
  ExpectBadSpec(spec, "dim is 0; it must be 1 to 8192");
  spec = user_;
  spec.adagrad.eps = std::nan("");
  ExpectBadSpec(spec, "eps is nan");
  spec = user_;
  spec.durability = static_cast<Durability>(77);
  ExpectBadSpec(spec, "unknown durability 77");
  spec = user_;
  spec.initializer.kind = static_cast<InitializerKind>(200);
  ExpectBadSpec(spec, "unknown initializer kind 200");
}

TEST_P(BadInput, TableNamesThatNobodyCouldType) {
  TableSpec spec = user_;
  spec.name = "a\nb";
  ExpectRefused(Op::kCreateTable, EncodeControl(CreateTable{spec}), RefusalReason::kBadTableSpec,
                {"byte 10"});
  spec.name = std::string(10000, 'n');
  const std::string words = "has 10000 bytes; at most 128";
  ExpectRefused(Op::kCreateTable, EncodeControl(CreateTable{spec}), RefusalReason::kBadTableSpec,
                {words});
}

TEST_P(BadInput, MoreTablesThanAllowed) {
  TableSpec spec = user_;
  spec.name = "third";
  ExpectRefused(Op::kCreateTable, EncodeControl(CreateTable{spec}), RefusalReason::kTooManyTables,
                {"table 'third'", "tables_max is 2"});
}

TEST_P(BadInput, MoreClientsThanAllowed) {
  ExpectRefused(Op::kOpenClient, EncodeControl(OpenClient{ClientId(9), Incarnation(1)}),
                RefusalReason::kTooManyClients, {"clients_max is 1"});
}

TEST_P(BadInput, TooManyKeys) {
  const std::vector<Key> keys(keys_.begin(), keys_.begin() + 65);
  const std::string words = "65 keys; keys_per_request_max is 64";
  ExpectRefused(Op::kPull, PullBodyOf(user_, keys), RefusalReason::kTooManyKeys, {words});
  ExpectRefused(PushOf(keys), RefusalReason::kTooManyKeys, {words});
}

TEST_P(BadInput, AnswerTooLarge) {
  const std::vector<Key> keys = KeysOnShard(wide_, ShardId(0), kBadInputShards, 64);
  ExpectRefused(Op::kPull, PullBodyOf(wide_, keys), RefusalReason::kFrameTooLarge,
                {"16408 bytes", "frame_bytes_max is 16384", "pull fewer rows"});
}

TEST_P(BadInput, CountsThatTheBodyDoesNotHold) {
  std::vector<std::byte> body = PushBody(PushOf({keys_[1]}));
  Put(uint32_t{2}, kSectionAt + offsetof(SectionHeader, row_count), &body);
  ExpectRefused(Op::kPush, body, RefusalReason::kMalformed, {"shorter than its counts"});
  Put(uint32_t{0}, kSectionAt + offsetof(SectionHeader, row_count), &body);
  ExpectRefused(Op::kPush, body, RefusalReason::kMalformed, {"24 bytes too many"});
  Put(~uint32_t{0}, kSectionAt + offsetof(SectionHeader, row_count), &body);
  ExpectRefused(Op::kPush, body, RefusalReason::kTooManyKeys, {"4294967295 keys"});
  Put(~uint16_t{0}, offsetof(PushHeader, section_count), &body);
  ExpectRefused(Op::kPush, body, RefusalReason::kTooManyTables, {"65535 tables"});
}

TEST_P(BadInput, OneTableInTwoSections) {
  TestPush push = PushOf({keys_[1]});
  push.sections.push_back(push.sections[0]);
  push.sections[1].keys = {keys_[2]};
  ExpectRefused(push, RefusalReason::kMalformed, {"sections 0 and 1 are of one table"});
}

TEST_P(BadInput, ElementTypeOfALaterRelease) {
  std::vector<std::byte> body = PushBody(PushOf({keys_[1]}));
  Put(uint32_t{1}, kSectionAt + offsetof(SectionHeader, element_type), &body);
  ExpectRefused(Op::kPush, body, RefusalReason::kMalformed, {"element type 1"});
}

TEST_P(BadInput, EmptyAndCutBodies) {
  ExpectRefused(Op::kPush, {}, RefusalReason::kMalformed, {"push: "});
  ExpectRefused(Op::kPull, {}, RefusalReason::kMalformed, {"pull: "});
  ExpectRefused(Op::kStats, {}, RefusalReason::kMalformed, {"stats: "});
  std::vector<std::byte> body = EncodeControl(CreateTable{user_});
  body.pop_back();
  ExpectRefused(Op::kCreateTable, body, RefusalReason::kMalformed, {"create table: "});
  // A name of 4 GB, says the message of some fifty bytes.
  Put(~uint32_t{0}, 0, &body);
  ExpectRefused(Op::kCreateTable, body, RefusalReason::kMalformed,
                {"a string ends beyond the message"});
}

TEST_P(BadInput, UnknownOperation) {
  ExpectRefused(static_cast<Op>(99), {}, RefusalReason::kUnknownOp, {"operation 99"});
  ExpectRefused(Op::kPullAnswer, {}, RefusalReason::kUnknownOp, {"operation 32773"});
}

TEST_P(BadInput, AGoodPushAfterwardsIsApplied) {
  TestPush push = PushOf({known_, keys_[1]});
  push.sections[0].gradients[0] = std::nanf("");
  ExpectRefused(push, RefusalReason::kBadGradient, {});
  push.sections[0].gradients[0] = 0.5f;
  const Counters before = CountersNow();
  const auto row = *control_->Pull(user_, {known_});
  const auto answer = control_->Push(push);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->duplicate, 0u);
  EXPECT_EQ(answer->lsn.value(), before.at("last_lsn") + 1);
  EXPECT_EQ(CountersNow().at("rows"), before.at("rows") + 1);
  EXPECT_NE(*control_->Pull(user_, {known_}), row);
}

INSTANTIATE_TEST_SUITE_P(Memory, BadInput, testing::Values(Transport::kTcp, Transport::kUnix),
                         TransportName);

}  // namespace
}  // namespace rowhouse

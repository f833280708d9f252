#include "tests/integration/bad_input_fixture.h"

#include <chrono>
#include <utility>

#include "common/text.h"

namespace rowhouse {
namespace {

using testing::HasSubstr;

constexpr auto kPatience = std::chrono::seconds(10);

void ExpectRefusal(const ReceivedFrame& frame, RefusalReason reason,
                   const std::vector<std::string>& words) {
  const absl::Status refusal = RefusalIn(frame);
  EXPECT_EQ(RefusalReasonName(ReasonOf(refusal)), RefusalReasonName(reason)) << refusal;
  EXPECT_LT(refusal.message().size(), 1000u) << "a peer's bytes are echoed without bound";
  for (const std::string& word : words) {
    EXPECT_THAT(std::string(refusal.message()), HasSubstr(word));
  }
}

}  // namespace

void BadInputFixture::StartServer(ServerOptions options) {
  options.shards = kBadInputShards;
  server_.emplace(std::move(options));
  ASSERT_TRUE(server_->Start().ok());
  control_.emplace(Greet());
  user_.name = "user";
  user_.dim = 4;
  user_.initializer = Initializer::Normal(0, 0.1f);
  wide_.name = "wide";
  wide_.dim = 64;
  for (const TableSpec& spec : {user_, wide_}) {
    ASSERT_TRUE(control_->Ask<CreateTableAnswer>(Op::kCreateTable, CreateTable{spec}).ok());
  }
  ASSERT_TRUE(control_->Ask<OpenClientAnswer>(Op::kOpenClient, client_).ok());
  keys_ = KeysOnShard(user_, ShardId(0), kBadInputShards, 100);
  elsewhere_ = KeysOnShard(user_, ShardId(1), kBadInputShards, 1).front();
  known_ = keys_.front();
  ASSERT_TRUE(control_->Push(PushOf({known_})).ok());
}

TestPush BadInputFixture::PushOf(std::vector<Key> keys, float gradient) {
  TestPush push;
  push.client = client_.client;
  push.incarnation = client_.incarnation;
  push.sequence = Sequence(next_sequence_++);
  TestSection section;
  section.table = TableIdOf(user_.name);
  section.dim = user_.dim;
  section.gradients.assign(keys.size() * user_.dim, gradient);
  section.keys = std::move(keys);
  push.sections = {std::move(section)};
  return push;
}

std::string BadInputFixture::CounterOf(RefusalReason reason) {
  return StrCat("server_refused_", RefusalReasonName(reason));
}

void BadInputFixture::ExpectRefused(Op op, const std::vector<std::byte>& body, RefusalReason reason,
                                    const std::vector<std::string>& words) {
  RawClient client = Greet();
  const auto row = *control_->Pull(user_, {known_});
  Counters expected = CountersNow();
  ++expected[CounterOf(reason)];

  ASSERT_TRUE(client.Send(MakeFrame(op, 4711, body)).ok());
  const auto answer = client.Receive();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->header.request_id, 4711u);
  ExpectRefusal(*answer, reason, words);

  EXPECT_EQ(CountersOf(client), expected) << "rows, LSN or other counters moved";
  EXPECT_EQ(*control_->Pull(user_, {known_}), row);
}

BadInputFixture::Counters BadInputFixture::CountersOf(RawClient& client) {
  Counters counters = *client.Counters();
  counters.erase("connections");
  counters.erase("connections_unix");
  return counters;
}

void BadInputFixture::ExpectCutOff(RawClient connection, std::span<const std::byte> bytes,
                                   RefusalReason reason, const std::vector<std::string>& words,
                                   bool end_sending) {
  Counters expected = CountersNow();
  ++expected[CounterOf(reason)];
  ASSERT_TRUE(connection.Send(bytes).ok());
  if (end_sending) connection.EndSending();
  ExpectRefusedAndClosed(connection, reason, words);
  EXPECT_EQ(CountersNow(), expected) << "rows, LSN or other counters moved";
}

void BadInputFixture::ExpectRefusedAndClosed(RawClient& connection, RefusalReason reason,
                                             const std::vector<std::string>& words) {
  const auto answer = connection.Receive();
  ASSERT_TRUE(answer.ok()) << answer.status();
  ExpectRefusal(*answer, reason, words);
  EXPECT_TRUE(connection.ExpectEnd().ok());
}

void BadInputFixture::AwaitCount(RefusalReason reason, uint64_t count) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (CountersNow()[CounterOf(reason)] != count) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline)
        << CounterOf(reason) << " is " << CountersNow()[CounterOf(reason)] << ", not " << count;
  }
}

}  // namespace rowhouse

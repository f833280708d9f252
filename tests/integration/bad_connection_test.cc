// Streams that are not the protocol, peers that are strangers, and peers that do not play along:
// each is told why where it can be, and costs others nothing.
#include <chrono>

#include "tests/integration/bad_input_fixture.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;
using testing::HasSubstr;

std::span<const std::byte> BytesOf(std::string_view text) { return std::as_bytes(std::span(text)); }

OutFrame StatsFrame() { return MakeControlFrame(Op::kStats, 1, Stats()); }

// A frame whose header has been changed and made consistent again.
template <typename Change>
std::vector<std::byte> WithHeader(const OutFrame& frame, Change change) {
  std::vector<std::byte> bytes(frame.bytes().begin(), frame.bytes().end());
  FrameHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  change(&header);
  header.header_checksum =
      Checksum(std::as_bytes(std::span(&header, 1)).first(offsetof(FrameHeader, header_checksum)));
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

class BadConnection : public BadInputFixture {
 protected:
  static ServerOptions Options() {
    ServerOptions options = TestServer::InMemory();
    options.limits.frame_bytes_max = 1 << 20;
    return options;
  }

  // Both before and after the hello.
  void ExpectCutOffAnywhere(std::span<const std::byte> bytes, RefusalReason reason,
                            const std::vector<std::string>& words, bool end_sending = false) {
    ExpectCutOff(Connect(), bytes, reason, words, end_sending);
    ExpectCutOff(Greet(), bytes, reason, words, end_sending);
  }

  void ExpectHelloRefused(const Hello& hello, RefusalReason reason,
                          const std::vector<std::string>& words) {
    ExpectCutOff(Connect(), MakeControlFrame(Op::kHello, 1, hello).bytes(), reason, words);
  }
};

TEST_P(BadConnection, AnotherProtocol) {
  StartServer(Options());
  ExpectCutOffAnywhere(BytesOf("GET / HTTP/1.1\r\nHost: rowhouse\r\n\r\n"),
                       RefusalReason::kBadMagic, {"not the Rowhouse protocol", "\"GET \""});
  ExpectCutOffAnywhere(BytesOf(std::string_view("\x16\x03\x01", 3)), RefusalReason::kBadMagic,
                       {"\\x16\\x03\\x01"});
  // One wrong byte is enough.
  ExpectCutOffAnywhere(BytesOf("Q"), RefusalReason::kBadMagic, {"\"Q\""});
}

TEST_P(BadConnection, FrameOfAVersionThatIsNotSpokenHere) {
  StartServer(Options());
  const auto bytes = WithHeader(StatsFrame(), [](FrameHeader* header) { header->version = 2; });
  ExpectCutOffAnywhere(bytes, RefusalReason::kBadVersion, {"version 2", "reads version 1"});
}

TEST_P(BadConnection, WrongChecksums) {
  StartServer(Options());
  const OutFrame frame = StatsFrame();
  std::vector<std::byte> bytes(frame.bytes().begin(), frame.bytes().end());
  bytes[kFrameHeaderBytes] ^= std::byte{1};
  ExpectCutOffAnywhere(bytes, RefusalReason::kBadChecksum, {"frame body of 1 bytes"});
  bytes[kFrameHeaderBytes - 1] ^= std::byte{1};
  ExpectCutOffAnywhere(bytes, RefusalReason::kBadChecksum, {"frame header"});
}

TEST_P(BadConnection, FlagsAndPaddingOfALaterRelease) {
  StartServer(Options());
  auto bytes = WithHeader(StatsFrame(), [](FrameHeader* header) { header->flags = 4; });
  ExpectCutOffAnywhere(bytes, RefusalReason::kMalformed, {"frame flags 4"});
  const OutFrame frame = StatsFrame();
  bytes.assign(frame.bytes().begin(), frame.bytes().end());
  bytes.back() = std::byte{1};
  ExpectCutOffAnywhere(bytes, RefusalReason::kMalformed, {"padding is not zero"});
}

TEST_P(BadConnection, FrameLargerThanAllowed) {
  StartServer(Options());
  // Refused by its header: not a byte of the body is waited for.
  const auto header = WithHeader(StatsFrame(), [](FrameHeader* h) { h->body_bytes = 1 << 20; });
  const auto bytes = std::span(header).first(kFrameHeaderBytes);
  ExpectCutOff(Greet(), bytes, RefusalReason::kFrameTooLarge,
               {"frame of 1048616 bytes", "frame_bytes_max is 1048576"});
  // Whoever has not said hello gets less room.
  const auto early = WithHeader(StatsFrame(), [](FrameHeader* h) { h->body_bytes = 5000; });
  ExpectCutOff(Connect(), std::span(early).first(kFrameHeaderBytes), RefusalReason::kFrameTooLarge,
               {"frame of 5040 bytes"});
}

TEST_P(BadConnection, StreamThatEndsInsideAFrame) {
  StartServer(Options());
  const OutFrame frame = MakeFrame(Op::kPush, 1, PushBody(PushOf({known_})));
  for (const size_t bytes : {size_t{3}, kFrameHeaderBytes, frame.size_bytes - 1}) {
    ExpectCutOffAnywhere(frame.bytes().first(bytes), RefusalReason::kTruncated,
                         {StrCat("ended ", bytes, " bytes into a frame")}, true);
  }
}

TEST_P(BadConnection, PeerThatVanishesInsideAFrame) {
  StartServer(Options());
  {
    RawClient client = Greet();
    const OutFrame frame = MakeFrame(Op::kPush, 1, PushBody(PushOf({known_})));
    ASSERT_TRUE(client.Send(frame.bytes().first(60)).ok());
  }
  AwaitCount(RefusalReason::kTruncated, 1);
}

TEST_P(BadConnection, GoodRequestsBeforeABadFrameAreAnswered) {
  StartServer(Options());
  RawClient client = Greet();
  const OutFrame push = MakeFrame(Op::kPush, 5, PushBody(PushOf({known_})));
  std::vector<std::byte> bytes(push.bytes().begin(), push.bytes().end());
  bytes.insert(bytes.end(), 64, std::byte{0x55});
  ASSERT_TRUE(client.Send(bytes).ok());
  bool push_answered = false;
  bool told_why = false;
  while (true) {
    const auto frame = client.Receive();
    if (!frame.ok()) break;
    push_answered |= frame->op() == Op::kPushAnswer && frame->header.request_id == 5;
    told_why |= ReasonOf(RefusalIn(*frame)) == RefusalReason::kBadMagic;
  }
  EXPECT_TRUE(push_answered);
  EXPECT_TRUE(told_why);
}

TEST_P(BadConnection, PeerThatOnlyEndsItsOwnSideIsAnswered) {
  StartServer(Options());
  RawClient client = Greet();
  constexpr int kRequests = 50;
  for (int i = 0; i < kRequests; ++i) {
    ASSERT_TRUE(client.Send(MakeFrame(Op::kPush, 5, PushBody(PushOf({known_})))).ok());
  }
  client.EndSending();
  for (int i = 0; i < kRequests; ++i) {
    const auto frame = client.Receive();
    ASSERT_TRUE(frame.ok()) << i << ": " << frame.status();
    EXPECT_EQ(frame->op(), Op::kPushAnswer);
  }
  EXPECT_TRUE(client.ExpectEnd().ok());
}

TEST_P(BadConnection, NoHello) {
  StartServer(Options());
  ExpectCutOff(Connect(), StatsFrame().bytes(), RefusalReason::kHelloExpected, {"operation 7"});
}

TEST_P(BadConnection, SecondHello) {
  StartServer(Options());
  ExpectRefused(Op::kHello, EncodeControl(HelloFor(ShardId(0))), RefusalReason::kUnknownOp,
                {"operation 1"});
}

TEST_P(BadConnection, HelloOfOtherVersions) {
  StartServer(Options());
  Hello hello = HelloFor(ShardId(0));
  hello.version_min = 5;
  hello.version_max = 7;
  ExpectHelloRefused(hello, RefusalReason::kBadVersion, {"versions 5 to 7", "this server 1 to 2"});
  hello.version_min = hello.version_max = 0;
  ExpectHelloRefused(hello, RefusalReason::kBadVersion, {"versions 0 to 0"});
}

TEST_P(BadConnection, HelloOfAnotherTimeline) {
  StartServer(Options());
  Hello hello = HelloFor(ShardId(0));
  hello.timeline = Timeline(12345);
  ExpectHelloRefused(hello, RefusalReason::kWrongTimeline,
                     {"timeline 12345", "start the client again"});
}

TEST_P(BadConnection, HelloToAShardThatIsNotHosted) {
  StartServer(Options());
  ExpectHelloRefused(HelloFor(ShardId(17)), RefusalReason::kWrongShard,
                     {"shard 17 is not on this server", "hosts 0, 1 of 2"});
}

TEST_P(BadConnection, HelloThatIsNone) {
  StartServer(Options());
  ExpectCutOff(Connect(), MakeFrame(Op::kHello, 1, BytesOf("hello?")).bytes(),
               RefusalReason::kMalformed, {"hello: message ends too early"});
}

TEST_P(BadConnection, SilenceAndHalfAHello) {
  ServerOptions options = Options();
  options.hello_timeout_ms = 100;
  StartServer(options);
  ExpectCutOff(Connect(), {}, RefusalReason::kDeadline, {"within 100 ms (hello_timeout_ms)"});
  const OutFrame hello = MakeControlFrame(Op::kHello, 1, HelloFor(ShardId(0)));
  ExpectCutOff(Connect(), hello.bytes().first(50), RefusalReason::kDeadline, {"hello_timeout_ms"});
}

TEST_P(BadConnection, MoreConnectionsThanAllowed) {
  ServerOptions options = Options();
  options.connections_max = 2;
  StartServer(options);  // one is the fixture's
  {
    RawClient second = Greet();
    RawClient third = Connect();
    ExpectRefusedAndClosed(third, RefusalReason::kTooManyConnections,
                           {"2 connections (connections_max)"});
    AwaitCount(RefusalReason::kTooManyConnections, 1);
    EXPECT_TRUE(second.Counters().ok());
  }
  // A place is free again as soon as the server has seen the others go.
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  while (!RawClient::Greet(endpoint(), ShardId(0)).ok()) ASSERT_LT(Clock::now(), deadline);
}

class NeverReads : public BadConnection {
 protected:
  static constexpr uint64_t kConnectionBytesMax = 4 << 20;
  static constexpr size_t kRows = 2000;  // 512 KB an answer

  OutFrame LargePull() const {
    TestSection section;
    section.table = TableIdOf(wide_.name);
    section.dim = wide_.dim;
    section.keys = KeysOnShard(wide_, ShardId(0), kBadInputShards, kRows);
    return MakeFrame(Op::kPull, 1, PullBody({&section, 1}));
  }

  // Pulls until the server takes no more; the bytes that went out.
  size_t PullWithoutReading(RawClient& client, uint32_t wait_ms) {
    const OutFrame pull = LargePull();
    constexpr size_t kEnough = 1ull << 30;
    size_t total = 0;
    while (total < kEnough) {
      const auto sent = client.SendSome(pull.bytes(), wait_ms);
      if (!sent.ok()) break;
      total += *sent;
      if (*sent < pull.size_bytes) break;
    }
    return total;
  }
};

TEST_P(NeverReads, GetsABoundedQueue) {
  ServerOptions options = Options();
  options.connection_bytes_max = kConnectionBytesMax;
  StartServer(options);
  RawClient client = Greet();
  PullWithoutReading(client, 300);
  // What the server has prepared lies in its queue and in the sockets' buffers, which have a bound
  // of their own; 32 MB is beyond what either transport holds.
  const uint64_t prepared_bytes = CountersNow().at("rows_pulled") * wide_.dim * sizeof(float);
  EXPECT_GT(prepared_bytes, kConnectionBytesMax / 2);
  EXPECT_LT(prepared_bytes, kConnectionBytesMax + (32 << 20));
  // It reads after all, and the rest comes.
  std::vector<std::byte> sink(1 << 20);
  for (uint64_t taken = 0; taken <= prepared_bytes;) {
    const auto bytes = client.ReceiveBytes(sink);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    ASSERT_GT(*bytes, 0u);
    taken += *bytes;
  }
}

TEST_P(NeverReads, IsCutOff) {
  ServerOptions options = Options();
  options.connection_bytes_max = kConnectionBytesMax;
  options.write_timeout_ms = 200;
  StartServer(options);
  RawClient client = Greet();
  // The server closes while the peer would wait for ever.
  PullWithoutReading(client, 10000);
  std::vector<std::byte> sink(1 << 20);
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  while (true) {
    const auto bytes = client.ReceiveBytes(sink);
    if (bytes.ok() && *bytes > 0) continue;
    EXPECT_TRUE(bytes.ok() || ReasonOf(bytes.status()) == RefusalReason::kDisconnected);
    break;
  }
  EXPECT_LT(Clock::now(), deadline);
  EXPECT_TRUE(Greet().Counters().ok());
}

// As long as bytes move, however many there are and however slowly, nobody is cut off.
TEST_P(NeverReads, ButOneThatReadsSlowlyGetsAll) {
  constexpr uint64_t kPulls = 36;
  constexpr auto kPerPiece = std::chrono::milliseconds(60);
  ServerOptions options = Options();
  options.connection_bytes_max = 16 << 20;
  options.write_timeout_ms = 500;  // half the time that the whole takes
  StartServer(options);
  RawClient client = Greet();
  for (uint64_t i = 0; i < kPulls; ++i) ASSERT_TRUE(client.Send(LargePull()).ok());
  const uint64_t all_bytes =
      kPulls * FrameBytes(sizeof(PullAnswerHeader) + kRows * wide_.dim * sizeof(float));
  std::vector<std::byte> piece(1 << 20);
  for (uint64_t taken = 0; taken < all_bytes;) {
    const auto next = Clock::now() + kPerPiece;
    for (size_t at = 0; at < piece.size() && taken < all_bytes;) {
      const auto bytes = client.ReceiveBytes(std::span(piece).subspan(at));
      ASSERT_TRUE(bytes.ok() && *bytes > 0) << taken << " of " << all_bytes << " bytes came";
      at += *bytes;
      taken += *bytes;
    }
    while (Clock::now() < next) ASSERT_TRUE(control_->Counters().ok());
  }
}

TEST_P(NeverReads, DoesNotHoldUpAStop) {
  ServerOptions options = Options();
  options.connection_bytes_max = kConnectionBytesMax;
  StartServer(options);
  RawClient client = Greet();
  PullWithoutReading(client, 100);
  const auto begin = Clock::now();
  EXPECT_TRUE(server_->Stop().ok());
  EXPECT_LT(Clock::now() - begin, std::chrono::milliseconds(options.write_timeout_ms / 3));
}

INSTANTIATE_TEST_SUITE_P(Memory, BadConnection, testing::Values(Transport::kTcp, Transport::kUnix),
                         TransportName);
INSTANTIATE_TEST_SUITE_P(Memory, NeverReads, testing::Values(Transport::kTcp, Transport::kUnix),
                         TransportName);

}  // namespace
}  // namespace rowhouse

#include "common/net/stream.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/refusal.h"
#include "common/wire/frame_builder.h"

namespace rowhouse {
namespace {

using Bytes = std::vector<std::byte>;

Bytes MakeBytes(uint64_t id, size_t body_bytes) {
  const Bytes body(body_bytes, static_cast<std::byte>(id));
  const OutFrame frame = MakeFrame(Op::kPush, id, body);
  return {frame.bytes().begin(), frame.bytes().end()};
}

bool HoldsFrame(const ReceivedFrame& frame, uint64_t id, size_t body_bytes) {
  return frame.header.request_id == id && frame.body.size() == body_bytes &&
         std::ranges::all_of(frame.body,
                             [&](std::byte b) { return b == static_cast<std::byte>(id); });
}

class StreamTest : public testing::Test {
 protected:
  StreamTest() : near_(io_), far_(io_) { Connect(); }

  void Connect() {
    asio::local::stream_protocol::socket a(io_);
    asio::local::stream_protocol::socket b(io_);
    asio::local::connect_pair(a, b);
    near_ = std::move(a);
    far_ = std::move(b);
  }

  // Runs a coroutine, and what else is under way, until it has its result.
  template <typename T>
  T Await(asio::awaitable<T> awaitable) {
    std::optional<T> result;
    asio::co_spawn(io_, std::move(awaitable), [&](std::exception_ptr error, T value) {
      EXPECT_EQ(error, nullptr);
      result.emplace(std::move(value));
    });
    io_.restart();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!result.has_value() && std::chrono::steady_clock::now() < deadline) {
      io_.run_one_until(deadline);
    }
    EXPECT_TRUE(result.has_value()) << "nothing came within 30 s";
    return *std::move(result);
  }

  void ConnectTcp() {
    asio::ip::tcp::acceptor acceptor(io_, {asio::ip::make_address("127.0.0.1"), 0});
    asio::ip::tcp::socket a(io_);
    a.connect(acceptor.local_endpoint());
    far_ = acceptor.accept();
    near_ = std::move(a);
  }

  // Bytes for which the system wakes the reader.
  int LowWater() {
    asio::socket_base::receive_low_watermark low_water;
    near_.get_option(low_water);
    return low_water.value();
  }

  absl::StatusOr<ReceivedFrame> Next(FrameReader& reader) { return Await(reader.Next(near_)); }

  // Writes in the background; the bytes must outlive the reads.
  void StartWriting(const Bytes& bytes, size_t piece_bytes) {
    asio::co_spawn(io_, Write(bytes, piece_bytes), [](std::exception_ptr) {});
  }

  asio::awaitable<void> Write(const Bytes& bytes, size_t piece_bytes) {
    for (size_t at = 0; at < bytes.size(); at += piece_bytes) {
      std::vector<asio::const_buffer> pieces;
      pieces.emplace_back(bytes.data() + at, std::min(piece_bytes, bytes.size() - at));
      const absl::Status status = co_await WriteAll(far_, std::move(pieces));
      EXPECT_TRUE(status.ok()) << status;
    }
    far_.shutdown(StreamSocket::shutdown_send);
  }

  asio::io_context io_;
  StreamSocket near_;
  StreamSocket far_;
};

// Its reader sleeps until much has come; of the last bytes it must hear though they are few.
TEST_F(StreamTest, TheEndOfALargeFrameIsReadHoweverLateAndFew) {
  ConnectTcp();
  constexpr size_t kBodyBytes = 1 << 20;
  for (const size_t end_bytes : {size_t{1}, size_t{1000}, size_t{140000}, size_t{300000}}) {
    FrameReader reader(kBodyBytes * 2);
    const Bytes frame = MakeBytes(7, kBodyBytes);
    const std::span<const std::byte> all(frame);
    int low_water = 0;
    asio::co_spawn(io_, WriteAll(far_, all.first(all.size() - end_bytes)),
                   [](std::exception_ptr, const absl::Status&) {});
    asio::steady_timer later(io_, std::chrono::milliseconds(50));
    later.async_wait([&](boost::system::error_code) {
      low_water = LowWater();
      asio::co_spawn(io_, WriteAll(far_, all.last(end_bytes)),
                     [](std::exception_ptr, const absl::Status&) {});
    });
    const auto read = Next(reader);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(HoldsFrame(*read, 7, kBodyBytes)) << end_bytes;
    EXPECT_LE(low_water, static_cast<int>(end_bytes));
    EXPECT_EQ(low_water > 1, end_bytes >= 128 << 10) << end_bytes;
  }
}

TEST_F(StreamTest, CutsAStreamIntoFramesWhereverItsPiecesEnd) {
  Bytes stream;
  for (uint64_t id = 1; id <= 5; ++id) {
    const Bytes frame = MakeBytes(id, id * 3);
    stream.insert(stream.end(), frame.begin(), frame.end());
  }
  for (const size_t piece_bytes : {size_t{1}, size_t{7}, stream.size()}) {
    Connect();
    FrameReader reader(1 << 20);
    StartWriting(stream, piece_bytes);
    for (uint64_t id = 1; id <= 5; ++id) {
      const auto frame = Next(reader);
      ASSERT_TRUE(frame.ok()) << frame.status();
      EXPECT_TRUE(HoldsFrame(*frame, id, id * 3)) << id;
      EXPECT_EQ(reinterpret_cast<uintptr_t>(frame->body.data()) % 8, 0u);
    }
    EXPECT_EQ(ReasonOf(Next(reader).status()), RefusalReason::kDisconnected);
  }
}

TEST_F(StreamTest, ChecksLargeFramesThatComeInPieces) {
  constexpr size_t kBodyBytes = 300'003;
  const Bytes good = MakeBytes(1, kBodyBytes);
  const Bytes small = MakeBytes(2, 8);
  for (const size_t piece_bytes : {size_t{1000}, size_t{40'000}, size_t{130'000}}) {
    for (const size_t flipped : {size_t{0}, size_t{32'768}, size_t{200'000}, kBodyBytes - 1}) {
      Bytes bad = good;
      bad[kFrameHeaderBytes + flipped] ^= std::byte{4};
      Bytes stream;
      for (const Bytes* frame : std::array{&good, &small, &good, static_cast<const Bytes*>(&bad)}) {
        stream.insert(stream.end(), frame->begin(), frame->end());
      }
      Connect();
      FrameReader reader(1 << 20);
      StartWriting(stream, piece_bytes);
      for (const auto& [id, body_bytes] :
           {std::pair{1, kBodyBytes}, {2, size_t{8}}, {1, kBodyBytes}}) {
        const auto frame = Next(reader);
        ASSERT_TRUE(frame.ok()) << frame.status();
        EXPECT_TRUE(HoldsFrame(*frame, static_cast<uint64_t>(id), body_bytes));
      }
      EXPECT_EQ(ReasonOf(Next(reader).status()), RefusalReason::kBadChecksum) << flipped;
    }
  }
}

TEST_F(StreamTest, FramesStayWhileTheyAreHeld) {
  std::mt19937 random(1);
  std::uniform_int_distribution<size_t> sizes(0, 200'000);
  std::vector<size_t> body_bytes;
  Bytes stream;
  for (uint64_t id = 0; id < 100; ++id) {
    body_bytes.push_back(id % 3 == 0 ? sizes(random) : sizes(random) % 100);
    const Bytes frame = MakeBytes(id, body_bytes.back());
    stream.insert(stream.end(), frame.begin(), frame.end());
  }
  StartWriting(stream, stream.size());
  FrameReader reader(1 << 20);
  std::deque<ReceivedFrame> held;
  for (uint64_t id = 0; id < 100; ++id) {
    auto frame = Next(reader);
    ASSERT_TRUE(frame.ok()) << frame.status();
    held.push_back(*std::move(frame));
    if (held.size() < 10) continue;
    EXPECT_TRUE(HoldsFrame(held.front(), id - 9, body_bytes[id - 9])) << id - 9;
    held.pop_front();
  }
}

// As a push log does that writes two frames while two more arrive.
TEST_F(StreamTest, UsesAFewBuffersAgainWhileFramesAreHeld) {
  constexpr size_t kBytes = 200 << 10;
  Bytes stream;
  for (uint64_t id = 1; id <= 60; ++id) {
    const Bytes frame = MakeBytes(id, kBytes);
    stream.insert(stream.end(), frame.begin(), frame.end());
  }
  StartWriting(stream, stream.size());
  FrameReader reader(1 << 20);
  std::deque<ReceivedFrame> held;
  std::set<const void*> buffers;
  for (uint64_t id = 1; id <= 60; ++id) {
    held.push_back(Next(reader).value());
    EXPECT_TRUE(HoldsFrame(held.back(), id, kBytes));
    buffers.insert(held.back().owner.get());
    if (held.size() == 5) held.pop_front();
  }
  EXPECT_LE(buffers.size(), 4u);
  EXPECT_TRUE(HoldsFrame(held.front(), 57, kBytes));
}

TEST_F(StreamTest, WidensUnixSocketsAndLeavesTcpToTheSystem) {
  asio::socket_base::send_buffer_size before;
  asio::socket_base::send_buffer_size after;
  near_.get_option(before);
  WidenIfUnix(near_);
  near_.get_option(after);
  EXPECT_GT(after.value(), before.value());

  StreamSocket tcp(io_, asio::generic::stream_protocol(asio::ip::tcp::v4()));
  tcp.get_option(before);
  WidenIfUnix(tcp);
  tcp.get_option(after);
  EXPECT_EQ(after.value(), before.value());
}

TEST_F(StreamTest, TellsAStreamThatEndsInsideAFrame) {
  Bytes bytes = MakeBytes(1, 100);
  bytes.resize(bytes.size() - 1);
  StartWriting(bytes, bytes.size());
  FrameReader reader(1 << 20);
  EXPECT_EQ(ReasonOf(Next(reader).status()), RefusalReason::kTruncated);
}

TEST_F(StreamTest, RefusesAFrameBeyondTheLimitFromItsHeaderAlone) {
  Bytes bytes = MakeBytes(1, 5000);
  bytes.resize(kFrameHeaderBytes);
  StartWriting(bytes, bytes.size());
  FrameReader reader(4096);
  EXPECT_EQ(ReasonOf(Next(reader).status()), RefusalReason::kFrameTooLarge);
}

TEST_F(StreamTest, TakesAFrameAsLargeAsTheLimit) {
  const Bytes bytes = MakeBytes(1, 3'000'000);
  StartWriting(bytes, bytes.size());
  FrameReader reader(bytes.size());
  const auto frame = Next(reader);
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_TRUE(HoldsFrame(*frame, 1, 3'000'000));
}

TEST_F(StreamTest, RefusesAStranger) {
  const std::string text = "HTTP/1.1 400 Bad Request\r\n";
  const auto bytes = std::as_bytes(std::span(text));
  const Bytes copy(bytes.begin(), bytes.end());
  StartWriting(copy, copy.size());
  FrameReader reader(1 << 20);
  EXPECT_EQ(ReasonOf(Next(reader).status()), RefusalReason::kBadMagic);
}

// More pieces than one call of the system takes, more bytes than a socket holds, empty ones
// between.
TEST_F(StreamTest, WritesEveryPieceInOrder) {
  const Bytes whole = MakeBytes(1, 2'000'000);
  std::vector<asio::const_buffer> pieces;
  for (size_t at = 0; at < whole.size(); at += 9'999) {
    pieces.emplace_back(whole.data() + at, std::min<size_t>(9'999, whole.size() - at));
    pieces.emplace_back(whole.data(), 0);
  }
  absl::Status written = absl::UnknownError("not written");
  asio::co_spawn(io_, WriteAll(far_, pieces),
                 [&](std::exception_ptr, absl::Status status) { written = status; });
  FrameReader reader(whole.size());
  const auto frame = Next(reader);
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_TRUE(HoldsFrame(*frame, 1, 2'000'000));
  io_.poll();
  EXPECT_TRUE(written.ok()) << written;
}

TEST_F(StreamTest, WritingToAClosedPeerIsAnError) {
  near_.close();
  const Bytes whole = MakeBytes(1, 2'000'000);
  std::vector<asio::const_buffer> pieces = {asio::const_buffer(whole.data(), whole.size())};
  EXPECT_EQ(ReasonOf(Await(WriteAll(far_, std::move(pieces)))), RefusalReason::kDisconnected);
}

TEST_F(StreamTest, ConnectsOverTcpAndUnixSockets) {
  asio::ip::tcp::acceptor tcp(io_, {asio::ip::make_address("127.0.0.1"), 0});
  const Endpoint host{.host = "127.0.0.1", .port = tcp.local_endpoint().port()};
  EXPECT_TRUE(Await(ConnectTo(host)).ok());

  const std::string path = testing::TempDir() + "stream_test." + std::to_string(getpid());
  std::filesystem::remove(path);
  asio::local::stream_protocol::acceptor local(io_, {path});
  EXPECT_TRUE(Await(ConnectTo(Endpoint{.path = path})).ok());
  std::filesystem::remove(path);
}

TEST_F(StreamTest, RefusedConnectionsNameTheEndpoint) {
  uint16_t port = 0;
  {
    asio::ip::tcp::acceptor closed(io_, {asio::ip::make_address("127.0.0.1"), 0});
    port = closed.local_endpoint().port();
  }
  const auto tcp = Await(ConnectTo(Endpoint{.host = "127.0.0.1", .port = port}));
  EXPECT_EQ(ReasonOf(tcp.status()), RefusalReason::kDisconnected);
  const std::string message(tcp.status().message());
  EXPECT_NE(message.find("127.0.0.1:" + std::to_string(port)), std::string::npos) << message;
  EXPECT_NE(message.find("refused"), std::string::npos) << message;

  const auto local = Await(ConnectTo(Endpoint{.path = "/nowhere/socket"}));
  EXPECT_EQ(ReasonOf(local.status()), RefusalReason::kDisconnected);
  const std::string where(local.status().message());
  EXPECT_NE(where.find("unix:/nowhere/socket"), std::string::npos) << where;
}

// As far as net.core.wmem_max allows.
TEST(WidenIfUnix, GivesUnixSocketsRoomForLargeFramesAndLeavesTcpAlone) {
  asio::io_context io;
  asio::local::stream_protocol::socket near(io), far(io);
  asio::local::connect_pair(near, far);
  int most = 0;
  ASSERT_TRUE(std::ifstream("/proc/sys/net/core/wmem_max") >> most);
  StreamSocket local(std::move(near));
  WidenIfUnix(local);
  asio::socket_base::send_buffer_size bytes;
  local.get_option(bytes);
  EXPECT_EQ(bytes.value(), std::min(most, 4 << 20));

  asio::ip::tcp::acceptor acceptor(io, {asio::ip::make_address("127.0.0.1"), 0});
  asio::ip::tcp::socket tcp(io);
  tcp.connect(acceptor.local_endpoint());
  StreamSocket remote(std::move(tcp));
  asio::socket_base::send_buffer_size before;
  remote.get_option(before);
  WidenIfUnix(remote);
  remote.get_option(bytes);
  EXPECT_EQ(bytes.value(), before.value());
}

}  // namespace
}  // namespace rowhouse

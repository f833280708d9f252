// A server that misbehaves as a test says: it greets clients as a real one of a single shard does,
// then runs the test's coroutine on each connection.
//
//   ScriptedPeer peer([](PeerConnection& connection) -> asio::awaitable<void> {
//     const ReceivedFrame push = co_await connection.Next(Op::kPush);
//     co_await connection.Send(...);
//   });
#pragma once

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/net/stream.h"
#include "common/text.h"
#include "common/wire/control.h"
#include "common/wire/data.h"
#include "common/wire/frame_builder.h"

namespace rowhouse {

struct PeerConnection {
  StreamSocket socket;
  FrameReader reader{256 << 20};
  int number = 0;  // of those that went on after the hello, from 0

  // The next frame. Throws where the connection ends or another operation comes.
  asio::awaitable<ReceivedFrame> Next(Op op) {
    absl::StatusOr<ReceivedFrame> frame = co_await reader.Next(socket);
    if (!frame.ok()) throw std::runtime_error(std::string(frame.status().message()));
    if (frame->op() != op) throw std::runtime_error("another operation");
    co_return *std::move(frame);
  }
  asio::awaitable<void> Send(OutFrame frame) {
    std::vector<asio::const_buffer> pieces;
    pieces.emplace_back(frame.words.get(), frame.size_bytes);
    (void)co_await WriteAll(socket, std::move(pieces));
  }
  asio::awaitable<void> AnswerPush(uint64_t request_id) {
    const PushAnswer answer{Lsn(1), Mark(0), 0, 0};
    co_await Send(MakeFrame(Op::kPushAnswer, request_id, std::as_bytes(std::span(&answer, 1))));
  }
  asio::awaitable<void> Refuse(uint64_t request_id, const absl::Status& status) {
    co_await Send(MakeErrorFrame(request_id, status));
  }
};

class ScriptedPeer {
 public:
  using Script = std::function<asio::awaitable<void>(PeerConnection&)>;

  // `greet`: false hands over connections as they come, without a hello.
  explicit ScriptedPeer(Script script, bool greet = true)
      : script_(std::move(script)),
        greet_(greet),
        acceptor_(io_, {asio::ip::make_address("127.0.0.1"), 0}),
        endpoint_(StrCat("127.0.0.1:", acceptor_.local_endpoint().port())) {
    asio::co_spawn(io_, Accept(), [](std::exception_ptr) {});
    thread_ = std::thread([this] { io_.run(); });
  }
  ~ScriptedPeer() {
    io_.stop();
    thread_.join();
  }

  const std::string& endpoint() const { return endpoint_; }
  int opens() const { return opens_; }

 private:
  asio::awaitable<void> Accept() {
    while (true) {
      auto [error, socket] = co_await acceptor_.async_accept(kAwaitTuple);
      if (error) co_return;
      socket.set_option(asio::ip::tcp::no_delay(true));
      asio::co_spawn(io_, Serve(StreamSocket(std::move(socket))), [](std::exception_ptr) {});
    }
  }

  asio::awaitable<void> Serve(StreamSocket socket) {
    PeerConnection connection{std::move(socket)};
    if (greet_) {
      const bool describing = co_await Greet(connection);
      if (describing) co_return;
    }
    connection.number = connections_++;
    co_await script_(connection);
  }

  // Whether the client only asked what is here.
  asio::awaitable<bool> Greet(PeerConnection& connection) {
    const ReceivedFrame frame = co_await connection.Next(Op::kHello);
    const absl::StatusOr<Hello> hello = DecodeControl<Hello>(frame.body);
    HelloAnswer answer{1, Timeline(5), Epoch(1), 14, 1, {ShardId(0)}, 64 << 20, 1 << 20};
    co_await connection.Send(MakeControlFrame(Op::kHelloAnswer, frame.header.request_id, answer));
    if (hello->shard == kNoShard) co_return true;
    while (true) {
      absl::StatusOr<ReceivedFrame> next = co_await connection.reader.Next(connection.socket);
      if (!next.ok()) throw std::runtime_error("closed");
      const uint64_t id = next->header.request_id;
      if (next->op() == Op::kQueryClient) {
        QueryClientAnswer known;
        known.mark = Mark(3);
        co_await connection.Send(MakeControlFrame(Op::kQueryClientAnswer, id, known));
        continue;
      }
      ++opens_;
      OpenClientAnswer opened;
      opened.mark = Mark(3);
      co_await connection.Send(MakeControlFrame(Op::kOpenClientAnswer, id, opened));
      co_return false;
    }
  }

  const Script script_;
  const bool greet_;
  std::atomic<int> opens_ = 0;
  int connections_ = 0;
  asio::io_context io_;
  asio::ip::tcp::acceptor acceptor_;
  const std::string endpoint_;
  std::thread thread_;
};

}  // namespace rowhouse

#include "worker/net/control_exchange.h"

#include <utility>

#include "worker/client/request.h"

namespace rowhouse {

absl::Status RefusalIn(std::span<const std::byte> body) {
  const absl::StatusOr<ErrorAnswer> answer = DecodeControl<ErrorAnswer>(body);
  if (!answer.ok()) return answer.status();
  return RefuseWith(answer->reason, answer->message);
}

asio::awaitable<absl::StatusOr<ReceivedFrame>> Exchange(StreamSocket& socket, FrameReader& reader,
                                                        Op op, OutFrame frame) {
  std::vector<asio::const_buffer> pieces;
  pieces.push_back(asio::buffer(frame.bytes().data(), frame.bytes().size()));
  absl::Status written = co_await WriteAll(socket, std::move(pieces));
  if (!written.ok()) co_return written;
  absl::StatusOr<ReceivedFrame> answer = co_await reader.Next(socket);
  if (!answer.ok()) co_return answer.status();
  if (answer->op() == Op::kError) co_return RefusalIn(answer->body);
  if (answer->op() != AnswerOp(op)) {
    co_return Refuse(RefusalReason::kMalformed, "an answer with operation ", answer->header.op,
                     " to operation ", static_cast<int>(op));
  }
  co_return answer;
}

Hello MakeHello(ShardId shard, Timeline timeline, const std::string& program) {
  Hello hello;
  hello.version_min = kProtocolVersionMin;
  hello.version_max = kProtocolVersionMax;
  hello.shard = shard;
  hello.timeline = timeline;
  hello.program = program;
  return hello;
}

}  // namespace rowhouse

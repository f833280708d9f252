// One control message and its answer, on a connection that carries nothing else at that moment.
//
// Threading: on the socket's executor.
// Errors: the refusal that the server answered; kMalformed where the answer is of another kind;
//   what FrameReader and WriteAll say.
#pragma once

#include "absl/status/statusor.h"
#include "common/net/stream.h"
#include "common/status_macros.h"
#include "common/wire/archive.h"
#include "common/wire/control.h"
#include "common/wire/frame_builder.h"

namespace rowhouse {

// The refusal in an error frame, or kMalformed where there is none.
absl::Status RefusalIn(std::span<const std::byte> body);

// Sends `frame`, whose operation is `op`, and waits for the answer to it.
asio::awaitable<absl::StatusOr<ReceivedFrame>> Exchange(StreamSocket& socket, FrameReader& reader,
                                                        Op op, OutFrame frame);

template <typename Answer, typename Message>
asio::awaitable<absl::StatusOr<Answer>> Ask(StreamSocket& socket, FrameReader& reader, Op op,
                                            Message message) {
  OutFrame frame = MakeControlFrame(op, static_cast<uint64_t>(op), message);
  absl::StatusOr<ReceivedFrame> answer = co_await Exchange(socket, reader, op, std::move(frame));
  if (!answer.ok()) co_return answer.status();
  co_return DecodeControl<Answer>(answer->body);
}

// The hello of this build.
Hello MakeHello(ShardId shard, Timeline timeline, const std::string& program);

}  // namespace rowhouse

// A bare connection to a server, for tests that say what no real client would: any bytes, in any
// order, or nothing at all. Blocking, with a deadline on everything.
//
//   ASSIGN_OR_RETURN(RawClient client, RawClient::Greet(endpoint, ShardId(0)));
//   client.Send(bytes);
//   client.Receive();                        // one frame
//   client.Ask<StatsAnswer>(Op::kStats, Stats());
//
// Threading: one thread at a time.
// Errors: kDeadline where nothing moved in time; kDisconnected where the peer closed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/status_macros.h"
#include "common/table_spec.h"
#include "common/types.h"
#include "common/wire/archive.h"
#include "common/wire/control.h"
#include "common/wire/data.h"
#include "common/wire/frame.h"
#include "common/wire/frame_builder.h"
#include "tests/support/frames.h"

namespace rowhouse {

// The refusal that an error frame carries; OK for any other frame.
absl::Status RefusalIn(const ReceivedFrame& frame);

class RawClient {
 public:
  static constexpr uint32_t kTimeoutMs = 10000;

  // `endpoint`: "127.0.0.1:port" or "unix:/path".
  static absl::StatusOr<RawClient> Connect(std::string_view endpoint);
  // Connects and says hello; the shard's answer has been received.
  static absl::StatusOr<RawClient> Greet(std::string_view endpoint, ShardId shard);

  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&& other) noexcept;
  ~RawClient();

  absl::Status Send(std::span<const std::byte> bytes);
  absl::Status Send(const OutFrame& frame) { return Send(frame.bytes()); }
  // Sends what the connection takes within `wait_ms` of waiting; the number of bytes taken.
  absl::StatusOr<size_t> SendSome(std::span<const std::byte> bytes, uint32_t wait_ms);
  // Nothing more will be sent; answers still arrive.
  void EndSending();

  absl::StatusOr<ReceivedFrame> Receive();
  // OK where the stream ends here, between frames.
  absl::Status ExpectEnd();
  // Bytes that come within the deadline, taken without looking at them; 0 at the end of the stream.
  absl::StatusOr<size_t> ReceiveBytes(std::span<std::byte> out);

  // Sends one control message and decodes its answer; a refusal comes back as it was made.
  template <typename Answer, typename Message>
  absl::StatusOr<Answer> Ask(Op op, const Message& message) {
    ASSIGN_OR_RETURN(const ReceivedFrame frame, Exchange(op, EncodeControl(message)));
    return DecodeControl<Answer>(frame.body);
  }

  absl::StatusOr<std::vector<float>> Pull(const TableSpec& table, std::vector<Key> keys);
  absl::StatusOr<PushAnswer> Push(const TestPush& push);
  // The server's counters by name, as this connection's shard tells them.
  absl::StatusOr<std::map<std::string, uint64_t>> Counters();

 private:
  explicit RawClient(int fd) : fd_(fd) {}
  absl::Status Await(short events, uint32_t timeout_ms);
  absl::StatusOr<ReceivedFrame> Exchange(Op op, std::span<const std::byte> body);

  int fd_ = -1;
  uint64_t request_id_ = 0;
  std::vector<std::byte> received_;  // not yet taken as frames
};

// A hello of this build's protocol versions.
Hello HelloFor(ShardId shard);

// The first `count` keys of a table from `first` on that live on `shard`.
std::vector<Key> KeysOnShard(const TableSpec& table, ShardId shard, uint32_t shard_count,
                             size_t count, Key first = Key(0));

}  // namespace rowhouse

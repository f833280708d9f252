// The hello exchange: who may talk to which shard, in which version. A pure function.
#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types.h"
#include "common/wire/control.h"
#include "common/wire/frame.h"

namespace rowhouse {

// What a server says of itself.
struct ServerFacts {
  uint64_t server_life = 0;  // see LocalSocket
  Timeline timeline;
  uint32_t shard_count = 0;
  std::vector<ShardId> shards;
  uint64_t frame_bytes_max = 0;
  uint64_t keys_per_request_max = 0;
};

struct Greeting {
  Hello hello;
  HelloAnswer answer;
};

// Errors: kHelloExpected, kMalformed, kBadVersion (with both ranges), kWrongTimeline, kWrongShard.
absl::StatusOr<Greeting> Greet(const ServerFacts& facts, const ReceivedFrame& frame);

}  // namespace rowhouse

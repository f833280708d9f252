// Builds request frames as a client would, for tests that talk to a shard or a server directly.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/wire/data.h"
#include "common/wire/frame.h"
#include "common/wire/frame_builder.h"

namespace rowhouse {

struct TestSection {
  TableId table;
  Generation generation{1};
  uint32_t dim = 0;
  std::vector<Key> keys;
  std::vector<float> gradients;  // empty in pulls
};

struct TestPush {
  ClientId client{7};
  Incarnation incarnation{1};
  Sequence sequence{1};
  Sequence unretried_below{1};
  Step step{1};
  Epoch epoch{1};
  ShardId first_shard{0};
  std::vector<TestSection> sections;
  Mark mark{0};
  uint16_t part_count = 1;
};

std::vector<std::byte> PullBody(std::span<const TestSection> sections, Epoch epoch = Epoch(1));
std::vector<std::byte> PushBody(const TestPush& push);

// A frame as a shard receives it, in memory of its own.
ReceivedFrame Receive(const OutFrame& frame);
inline ReceivedFrame Request(Op op, uint64_t request_id, std::span<const std::byte> body) {
  return Receive(MakeFrame(op, request_id, body));
}

}  // namespace rowhouse

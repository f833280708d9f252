#include "ps/net/greeting.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "common/refusal.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/wire/archive.h"

namespace rowhouse {
namespace {

absl::StatusOr<uint16_t> Negotiate(const Hello& hello) {
  const uint16_t version = std::min(hello.version_max, kProtocolVersionMax);
  if (version >= std::max(hello.version_min, kProtocolVersionMin)) return version;
  return Refuse(RefusalReason::kBadVersion, "the client speaks protocol versions ",
                hello.version_min, " to ", hello.version_max, ", this server ", kProtocolVersionMin,
                " to ", kProtocolVersionMax, ": bring both to one release of Rowhouse");
}

std::string NamesOf(const std::vector<ShardId>& shards) {
  return absl::StrJoin(
      shards, ", ", [](std::string* out, ShardId shard) { absl::StrAppend(out, shard.value()); });
}

absl::Status CheckShard(const ServerFacts& facts, ShardId shard) {
  if (shard == kNoShard) return absl::OkStatus();
  if (std::find(facts.shards.begin(), facts.shards.end(), shard) != facts.shards.end()) {
    return absl::OkStatus();
  }
  return Refuse(RefusalReason::kWrongShard, "shard ", shard.value(),
                " is not on this server, which hosts ", NamesOf(facts.shards), " of ",
                facts.shard_count);
}

absl::Status CheckTimeline(const ServerFacts& facts, Timeline timeline) {
  if (timeline == Timeline(0) || timeline == facts.timeline) return absl::OkStatus();
  return Refuse(RefusalReason::kWrongTimeline,
                "the client knows another cluster, or this one "
                "before it was restored (timeline ",
                timeline.value(), ", here ", facts.timeline.value(), "): start the client again");
}

}  // namespace

absl::StatusOr<Greeting> Greet(const ServerFacts& facts, const ReceivedFrame& frame) {
  if (frame.op() != Op::kHello) {
    return Refuse(RefusalReason::kHelloExpected, "operation ", frame.header.op,
                  " before the hello that opens a connection");
  }
  Greeting greeting;
  ASSIGN_OR_RETURN(greeting.hello, DecodeControl<Hello>(frame.body));
  ASSIGN_OR_RETURN(greeting.answer.version, Negotiate(greeting.hello));
  RETURN_IF_ERROR(CheckTimeline(facts, greeting.hello.timeline));
  RETURN_IF_ERROR(CheckShard(facts, greeting.hello.shard));
  greeting.answer.timeline = facts.timeline;
  greeting.answer.epoch = SlotMap(facts.shard_count).epoch();
  greeting.answer.slot_bits = kSlotBits;
  greeting.answer.shard_count = facts.shard_count;
  greeting.answer.shards = facts.shards;
  greeting.answer.frame_bytes_max = facts.frame_bytes_max;
  greeting.answer.keys_per_request_max = facts.keys_per_request_max;
  greeting.answer.local.server_life = facts.server_life;
  return greeting;
}

}  // namespace rowhouse

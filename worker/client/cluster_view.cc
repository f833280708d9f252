#include "worker/client/cluster_view.h"

#include <algorithm>

#include "common/refusal.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/wire/frame.h"

namespace rowhouse {
namespace {

constexpr uint32_t kNoHost = 0xffffffffu;
// Smaller limits than these leave no room for a useful request.
constexpr uint64_t kFrameBytesMin = 4096;

absl::Status Senseless(const ServerAnswer& server, std::string_view field, uint64_t value) {
  return Refuse(RefusalReason::kMalformed, server.server, ": hello answer with ", field, " ",
                value);
}

absl::Status CheckAnswer(const ServerAnswer& server) {
  const HelloAnswer& answer = server.answer;
  if (answer.version < kProtocolVersionMin || answer.version > kProtocolVersionMax) {
    return Refuse(RefusalReason::kBadVersion, server.server, " speaks protocol version ",
                  answer.version, ", this client ", kProtocolVersionMin, " to ",
                  kProtocolVersionMax, ": use builds of the same release");
  }
  if (answer.slot_bits != kSlotBits) return Senseless(server, "slot_bits", answer.slot_bits);
  if (answer.shard_count < 1 || answer.shard_count > kShardCountMax) {
    return Senseless(server, "shard_count", answer.shard_count);
  }
  if (answer.frame_bytes_max < kFrameBytesMin) {
    return Senseless(server, "frame_bytes_max", answer.frame_bytes_max);
  }
  if (answer.keys_per_request_max < 1) return Senseless(server, "keys_per_request_max", 0);
  for (const ShardId shard : answer.shards) {
    if (shard.value() >= answer.shard_count) return Senseless(server, "shard", shard.value());
  }
  return absl::OkStatus();
}

absl::Status CheckSame(std::string_view field, const ServerAnswer& a, uint64_t of_a,
                       const ServerAnswer& b, uint64_t of_b) {
  if (of_a == of_b) return absl::OkStatus();
  return absl::FailedPreconditionError(StrCat("servers of different clusters: ", field, " is ",
                                              of_a, " at ", a.server, ", ", of_b, " at ",
                                              b.server));
}

absl::Status CheckSameCluster(const ServerAnswer& a, const ServerAnswer& b) {
  RETURN_IF_ERROR(
      CheckSame("the timeline", a, a.answer.timeline.value(), b, b.answer.timeline.value()));
  RETURN_IF_ERROR(
      CheckSame("the number of shards", a, a.answer.shard_count, b, b.answer.shard_count));
  return CheckSame("the slot map's epoch", a, a.answer.epoch.value(), b, b.answer.epoch.value());
}

std::string Names(std::span<const ServerAnswer> answers) {
  std::string names;
  for (const ServerAnswer& server : answers) {
    names += StrCat(names.empty() ? "" : ", ", server.server);
  }
  return names;
}

absl::Status TakeShards(std::span<const ServerAnswer> answers, uint32_t server, ClusterView* view) {
  for (const ShardId shard : answers[server].answer.shards) {
    uint32_t& host = view->hosts[shard.value()];
    if (host == server) return Senseless(answers[server], "twice the shard", shard.value());
    if (host != kNoHost) {
      return absl::FailedPreconditionError(StrCat("shard ", shard.value(), " is hosted by ",
                                                  answers[host].server, " and by ",
                                                  answers[server].server));
    }
    host = server;
  }
  return absl::OkStatus();
}

absl::Status CheckComplete(std::span<const ServerAnswer> answers, const ClusterView& view) {
  const auto missing = std::find(view.hosts.begin(), view.hosts.end(), kNoHost);
  if (missing == view.hosts.end()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      StrCat("shard ", missing - view.hosts.begin(), " of ", view.shard_count,
             " is hosted by none of the servers given: ", Names(answers),
             "; name every server of the cluster"));
}

}  // namespace

absl::StatusOr<ClusterView> CombineAnswers(std::span<const ServerAnswer> answers) {
  if (answers.empty()) return absl::InvalidArgumentError("no servers given");
  for (const ServerAnswer& server : answers) {
    RETURN_IF_ERROR(CheckAnswer(server));
    RETURN_IF_ERROR(CheckSameCluster(answers[0], server));
  }
  const HelloAnswer& first = answers[0].answer;
  ClusterView view;
  view.timeline = first.timeline;
  view.epoch = first.epoch;
  view.shard_count = first.shard_count;
  view.hosts.assign(first.shard_count, kNoHost);
  view.limits = {first.keys_per_request_max, first.frame_bytes_max};
  for (uint32_t i = 0; i < answers.size(); ++i) {
    const HelloAnswer& answer = answers[i].answer;
    RETURN_IF_ERROR(TakeShards(answers, i, &view));
    view.limits.keys_max = std::min(view.limits.keys_max, answer.keys_per_request_max);
    view.limits.frame_bytes_max = std::min(view.limits.frame_bytes_max, answer.frame_bytes_max);
  }
  RETURN_IF_ERROR(CheckComplete(answers, view));
  return view;
}

}  // namespace rowhouse

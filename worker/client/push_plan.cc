#include "worker/client/push_plan.h"

#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/gradient_bound.h"
#include "common/refusal.h"
#include "common/status_macros.h"
#include "worker/client/row_moves.h"
#include "worker/client/section_groups.h"

namespace rowhouse {
namespace {

// Gradients that had to be gathered or summed.
struct MergedRows {
  std::unique_ptr<float[]> rows;  // [keys, dim]
  const ShardKeys* keys;
  Table table;

  std::span<const float> floats() const { return {rows.get(), keys->keys.size() * table.dim}; }
};

// What the requests of one push share until the last is answered.
struct Plan {
  std::vector<PushPart> parts;
  std::vector<KeySplit> splits;  // one for each part
  std::vector<MergedRows> merged;
};

absl::Status CheckAnswer(std::span<const std::byte> body) {
  PushAnswer answer;
  if (body.size() != sizeof(answer)) {
    return Refuse(RefusalReason::kMalformed, "push answer of ", body.size(), " bytes where ",
                  sizeof(answer), " are expected");
  }
  std::memcpy(static_cast<void*>(&answer), body.data(), sizeof(answer));
  if (answer.duplicate > 1 || answer.flags != 0) {
    return Refuse(RefusalReason::kMalformed, "push answer with duplicate ", answer.duplicate,
                  " and flags ", answer.flags);
  }
  return absl::OkStatus();
}

absl::Status CheckLimits(const Plan& plan, ShardId shard, std::span<const SectionRef> sections,
                         const RequestLimits& limits) {
  uint64_t keys = 0;
  uint64_t bytes = sizeof(PushHeader) + sections.size() * sizeof(SectionHeader);
  for (const SectionRef& section : sections) {
    const uint64_t dim = plan.parts[section.part].table.dim;
    keys += section.keys->keys.size();
    bytes += section.keys->keys.size() * (sizeof(Key) + dim * sizeof(float));
  }
  if (sections.size() > kSectionCountMax) {
    return Refuse(RefusalReason::kTooManyTables, "push: ", sections.size(),
                  " tables; a push may name ", kSectionCountMax);
  }
  if (keys > limits.keys_max) {
    return Refuse(RefusalReason::kTooManyKeys, "push: ", keys, " keys on shard ", shard.value(),
                  "; keys_per_request_max is ", limits.keys_max,
                  " there: push smaller batches or raise it on the servers");
  }
  // PaddedBytes and the header can add 47 bytes; `bytes` itself is far below 2^64.
  if (FrameBytes(bytes) > limits.frame_bytes_max) {
    return Refuse(RefusalReason::kFrameTooLarge, "push: a frame of ", FrameBytes(bytes),
                  " bytes to shard ", shard.value(), "; frame_bytes_max is ",
                  limits.frame_bytes_max, ": push smaller batches or raise it");
  }
  return absl::OkStatus();
}

// The section's gradients as they go on the wire.
std::span<const float> WireRows(Plan* plan, const SectionRef& section) {
  const PushPart& part = plan->parts[section.part];
  const KeySplit& split = plan->splits[section.part];
  if (split.direct(*section.keys)) return part.gradients;
  const size_t floats = section.keys->keys.size() * part.table.dim;
  plan->merged.push_back(
      {std::make_unique_for_overwrite<float[]>(floats), section.keys, part.table});
  const std::span<float> out(plan->merged.back().rows.get(), floats);
  MergeRows(split, *section.keys, part.table.dim, part.gradients, out);
  return out;
}

Request MakeRequest(const std::shared_ptr<Plan>& plan, ShardId shard, PushHeader header,
                    std::span<const SectionRef> sections) {
  Request request;
  request.shard = shard;
  request.op = Op::kPush;
  header.first_shard = shard;
  header.section_count = static_cast<uint16_t>(sections.size());
  std::vector<SectionHeader> headers;
  for (const SectionRef& section : sections) {
    headers.push_back(
        MakeSectionHeader(plan->parts[section.part].table, section.keys->keys.size()));
    request.pieces.push_back(std::as_bytes(section.keys->keys));
  }
  for (const SectionRef& section : sections) {
    request.pieces.push_back(std::as_bytes(WireRows(plan.get(), section)));
  }
  request.head = MakeRequestHead(std::as_bytes(std::span(&header, 1)), headers);
  request.keeps = plan;
  request.accept = CheckAnswer;
  return request;
}

// What each gradient alone does not show.
absl::Status CheckSums(const Plan& plan) {
  for (const MergedRows& merged : plan.merged) {
    const std::span<const float> floats = merged.floats();
    const size_t at = FirstUnfitGradient(floats);
    if (at == floats.size()) continue;
    return Refuse(
        RefusalReason::kBadGradient,
        absl::StrFormat("push: table %016x: key %d, column %d: the gradients of its "
                        "repetitions sum to %g; the sum must be finite and within +-%g; "
                        "the push was sent to no shard at all",
                        merged.table.id.value(), merged.keys->keys[at / merged.table.dim].value(),
                        at % merged.table.dim, floats[at], kGradientAbsMax));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Request>> PlanPush(Step step, std::vector<PushPart> parts,
                                              const SlotMap& slots, const RequestLimits& limits) {
  auto plan = std::make_shared<Plan>();
  plan->parts = std::move(parts);
  for (const PushPart& part : plan->parts) {
    plan->splits.push_back(SplitKeys(part.table.id, part.keys, slots));
  }
  const auto groups = GroupSections(plan->splits);
  for (const auto& [shard, sections] : groups) {
    RETURN_IF_ERROR(CheckLimits(*plan, shard, sections, limits));
  }
  PushHeader header;
  header.epoch = slots.epoch();
  header.step = step;
  header.part_count = static_cast<uint16_t>(groups.size());
  std::vector<Request> requests;
  for (const auto& [shard, sections] : groups) {
    requests.push_back(MakeRequest(plan, shard, header, sections));
  }
  RETURN_IF_ERROR(CheckSums(*plan));
  return requests;
}

void StampPush(const PushIdentity& identity, Request* request) {
  PushHeader header;
  std::byte* at = request->head.data() + kFrameHeaderBytes;
  std::memcpy(static_cast<void*>(&header), at, sizeof(header));
  header.client = identity.client;
  header.incarnation = identity.incarnation;
  header.sequence = identity.sequence;
  header.unretried_below = identity.unretried_below;
  header.mark = identity.mark;
  std::memcpy(at, &header, sizeof(header));
}

void TellOfAnswer(std::function<void(const AcknowledgedPart&)> observer, Request* request) {
  FrameHeader frame;
  PushHeader push;
  std::memcpy(static_cast<void*>(&frame), request->head.data(), sizeof(frame));
  std::memcpy(static_cast<void*>(&push), request->head.data() + kFrameHeaderBytes, sizeof(push));
  AcknowledgedPart part{push.client, push.incarnation, push.sequence, request->shard};
  part.body_checksum = frame.body_checksum;
  request->accept = [part, observer = std::move(observer), accept = std::move(request->accept)](
                        std::span<const std::byte> body) mutable -> absl::Status {
    RETURN_IF_ERROR(accept(body));
    PushAnswer answer;
    std::memcpy(static_cast<void*>(&answer), body.data(), sizeof(answer));
    part.lsn = answer.lsn;
    part.duplicate = answer.duplicate != 0;
    observer(part);
    return absl::OkStatus();
  };
}

}  // namespace rowhouse

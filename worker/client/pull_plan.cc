#include "worker/client/pull_plan.h"

#include <cstring>
#include <memory>
#include <utility>

#include "common/refusal.h"
#include "common/status_macros.h"
#include "worker/client/row_moves.h"
#include "worker/client/section_groups.h"

namespace rowhouse {
namespace {

// What the requests of one pull share until the last is answered.
struct Plan {
  std::vector<PullPart> parts;
  std::vector<KeySplit> splits;  // one for each part
};

struct Run {
  SectionRef section;
  uint64_t first = 0;
  uint64_t count = 0;
};

struct Totals {
  uint64_t rows = 0;
  uint64_t floats = 0;
};

Totals CountRows(const Plan& plan, std::span<const Run> runs) {
  Totals totals;
  for (const Run& run : runs) {
    totals.rows += run.count;
    totals.floats += run.count * plan.parts[run.section.part].table.dim;
  }
  return totals;
}

absl::StatusOr<std::span<const float>> CheckAnswer(std::span<const std::byte> body,
                                                   const Totals& totals) {
  const uint64_t bytes = sizeof(PullAnswerHeader) + totals.floats * sizeof(float);
  if (body.size() != bytes) {
    return Refuse(RefusalReason::kMalformed, "pull answer of ", body.size(), " bytes where ",
                  totals.rows, " rows need ", bytes);
  }
  PullAnswerHeader header;
  std::memcpy(static_cast<void*>(&header), body.data(), sizeof(header));
  if (header.row_count != totals.rows || header.flags != 0) {
    return Refuse(RefusalReason::kMalformed, "pull answer with ", header.row_count,
                  " rows and flags ", header.flags, " where ", totals.rows, " rows were asked for");
  }
  const auto rows = body.subspan(sizeof(header));
  return std::span(reinterpret_cast<const float*>(rows.data()), totals.floats);
}

absl::Status TakeAnswer(const Plan& plan, std::span<const Run> runs,
                        std::span<const std::byte> body) {
  ASSIGN_OR_RETURN(std::span<const float> in, CheckAnswer(body, CountRows(plan, runs)));
  for (const Run& run : runs) {
    const PullPart& part = plan.parts[run.section.part];
    const size_t floats = run.count * part.table.dim;
    ScatterRows(plan.splits[run.section.part], *run.section.keys, run.first, run.count,
                part.table.dim, in.first(floats), part.rows);
    in = in.subspan(floats);
  }
  return absl::OkStatus();
}

Request MakeRequest(std::shared_ptr<const Plan> plan, ShardId shard, PullHeader header,
                    std::vector<Run> runs) {
  Request request;
  request.shard = shard;
  request.op = Op::kPull;
  header.section_count = static_cast<uint32_t>(runs.size());
  std::vector<SectionHeader> sections;
  for (const Run& run : runs) {
    sections.push_back(MakeSectionHeader(plan->parts[run.section.part].table, run.count));
    request.pieces.push_back(std::as_bytes(run.section.keys->keys.subspan(run.first, run.count)));
  }
  request.head = MakeRequestHead(std::as_bytes(std::span(&header, 1)), sections);
  request.keeps = plan;
  request.accept = [plan = std::move(plan), runs = std::move(runs)](auto body) {
    return TakeAnswer(*plan, runs, body);
  };
  return request;
}

std::vector<Run> ToRuns(std::span<const SectionRef> sections, std::span<const SectionRun> packed) {
  std::vector<Run> runs;
  for (const SectionRun& run : packed) {
    runs.push_back({sections[run.section], run.first, run.count});
  }
  return runs;
}

}  // namespace

absl::StatusOr<std::vector<Request>> PlanPull(Step step, std::vector<PullPart> parts,
                                              const SlotMap& slots, const RequestLimits& limits) {
  auto plan = std::make_shared<Plan>();
  plan->parts = std::move(parts);
  for (const PullPart& part : plan->parts) {
    plan->splits.push_back(SplitKeys(part.table.id, part.keys, slots));
  }
  PullHeader header;
  header.epoch = slots.epoch();
  header.step = step;
  std::vector<Request> requests;
  for (const auto& [shard, sections] : GroupSections(plan->splits)) {
    std::vector<SectionSize> sizes;
    for (const SectionRef& section : sections) {
      sizes.push_back({section.keys->keys.size(), plan->parts[section.part].table.dim});
    }
    ASSIGN_OR_RETURN(auto packed, PackPull(sizes, limits));
    for (const auto& runs : packed) {
      requests.push_back(MakeRequest(plan, shard, header, ToRuns(sections, runs)));
    }
  }
  return requests;
}

}  // namespace rowhouse

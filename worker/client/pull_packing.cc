#include "worker/client/pull_packing.h"

#include <algorithm>

#include "common/refusal.h"
#include "common/wire/data.h"
#include "common/wire/frame.h"

namespace rowhouse {
namespace {

// The request that is being filled.
class OpenRequest {
 public:
  explicit OpenRequest(const RequestLimits& limits) : limits_(limits) {}

  // How many more rows of a further section fit.
  uint64_t RoomFor(uint32_t dim) const {
    if (runs_.size() == kSectionCountMax) return 0;
    const uint64_t keys_left = limits_.keys_max - std::min(limits_.keys_max, keys_);
    return std::min({keys_left, Left(request_bytes_ + sizeof(SectionHeader)) / sizeof(uint64_t),
                     Left(answer_bytes_) / (uint64_t{dim} * sizeof(float))});
  }
  void Add(SectionRun run, uint32_t dim) {
    runs_.push_back(run);
    keys_ += run.count;
    request_bytes_ += sizeof(SectionHeader) + run.count * sizeof(uint64_t);
    answer_bytes_ += run.count * dim * sizeof(float);
  }
  bool empty() const { return runs_.empty(); }
  std::vector<SectionRun> Take() {
    std::vector<SectionRun> runs = std::move(runs_);
    *this = OpenRequest(limits_);
    return runs;
  }

 private:
  // Bytes left of a frame; a multiple of 8 is what frames are padded to.
  uint64_t Left(uint64_t body_bytes) const {
    const uint64_t whole = limits_.frame_bytes_max & ~uint64_t{7};
    return whole - std::min(whole, kFrameHeaderBytes + body_bytes);
  }

  RequestLimits limits_;
  std::vector<SectionRun> runs_;
  uint64_t keys_ = 0;
  uint64_t request_bytes_ = sizeof(PullHeader);
  uint64_t answer_bytes_ = sizeof(PullAnswerHeader);
};

}  // namespace

absl::StatusOr<std::vector<std::vector<SectionRun>>> PackPull(std::span<const SectionSize> sections,
                                                              const RequestLimits& limits) {
  std::vector<std::vector<SectionRun>> requests;
  OpenRequest open(limits);
  for (uint32_t i = 0; i < sections.size(); ++i) {
    const SectionSize& section = sections[i];
    for (uint64_t first = 0; first < section.row_count;) {
      const uint64_t count = std::min(open.RoomFor(section.dim), section.row_count - first);
      if (count == 0 && open.empty()) {
        return Refuse(RefusalReason::kFrameTooLarge, "a row of dim ", section.dim,
                      " does not fit into a frame of ", limits.frame_bytes_max,
                      " bytes: raise frame_bytes_max of client and server");
      }
      if (count == 0) {
        requests.push_back(open.Take());
        continue;
      }
      open.Add({i, first, count}, section.dim);
      first += count;
    }
  }
  if (!open.empty()) requests.push_back(open.Take());
  return requests;
}

}  // namespace rowhouse

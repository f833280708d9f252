#include "tests/crash/cut_checker.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace rowhouse {
namespace {

constexpr size_t kErrorsKept = 100;
// A shard remembers 1,024 parts of replaced lives; a load process has at most 64 open.
constexpr uint64_t kLivesNamed = 14;

}  // namespace

CutChecker::CutChecker(CheckpointManifest manifest) : manifest_(std::move(manifest)) {
  for (const ShardManifest& shard : manifest_.shards) cuts_[shard.shard] = shard.cut;
  for (const HalfStep& half : manifest_.half_steps) {
    half_[{half.client, half.incarnation, half.sequence}] = {half.parts_present, half.parts};
  }
}

absl::StatusOr<bool> CutChecker::Take(ShardId shard, const LogRecord& record) {
  const auto cut = cuts_.find(shard);
  const bool before_cut = cut != cuts_.end() && record.lsn <= cut->second;
  if (record.type != RecordType::kPush) return before_cut;
  ASSIGN_OR_RETURN(const PushView view,
                   PushView::Parse(record.body, std::numeric_limits<uint64_t>::max()));
  const PushHeader& header = view.header();
  if (header.mark >= manifest_.mark) return false;
  const Push push{header.client, header.incarnation, header.sequence};
  newest_[header.client] = std::max(newest_[header.client], header.incarnation);
  if (!before_cut) {
    Complain(push, StrCat("is marked ", header.mark.value(), " and stands behind the cut of shard ",
                          shard.value(), " with LSN ", record.lsn.value()));
    return false;
  }
  Parts& parts = pushes_[push];
  ++parts.present;
  parts.total = header.part_count;
  return true;
}

std::vector<std::string> CutChecker::Errors() const {
  for (const auto& [push, parts] : pushes_) {
    const auto half = half_.find(push);
    if (half == half_.end() && IsOfOldLife(push)) continue;
    if (half == half_.end() ? parts.present == parts.total
                            : parts.present == half->second.present) {
      continue;
    }
    Complain(push, StrCat("is in the cut with ", parts.present, " of ", parts.total, " parts",
                          half == half_.end() ? "" : ", and the manifest says otherwise"));
  }
  return errors_;
}

bool CutChecker::IsOfOldLife(const Push& push) const {
  return push.incarnation.value() + kLivesNamed < newest_.at(push.client).value();
}

void CutChecker::Complain(const Push& push, std::string_view what) const {
  if (errors_.size() == kErrorsKept) return;
  errors_.push_back(StrCat("checkpoint ", manifest_.mark.value(), ": push ", push.sequence.value(),
                           " of client ", push.client.value(), ", incarnation ",
                           push.incarnation.value(), ", ", what));
}

}  // namespace rowhouse

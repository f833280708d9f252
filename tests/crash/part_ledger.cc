#include "tests/crash/part_ledger.h"

#include <iterator>

#include "absl/strings/str_format.h"

namespace rowhouse {
namespace {

constexpr size_t kErrorsKept = 100;

}  // namespace

bool NumberSet::Add(uint64_t number) {
  auto after = ranges_.upper_bound(number);
  if (after != ranges_.begin()) {
    const auto before = std::prev(after);
    if (before->second >= number) return false;
    if (before->second + 1 == number) {
      before->second = number;
      if (after != ranges_.end() && after->first == number + 1) {
        before->second = after->second;
        ranges_.erase(after);
      }
      return true;
    }
  }
  uint64_t last = number;
  if (after != ranges_.end() && after->first == number + 1) {
    last = after->second;
    ranges_.erase(after);
  }
  ranges_.emplace(number, last);
  return true;
}

void PartLedger::NoteLogged(const PartKey& part, const Trace& trace) {
  ++logged_;
  if (!logged_numbers_[{part.client, part.incarnation, part.shard}].Add(part.sequence.value())) {
    Complain(absl::StrFormat("stands in the log twice, now with LSN %d", trace.lsn.value()), part);
    return;
  }
  const auto found = unmatched_acknowledged_.find(part);
  if (found == unmatched_acknowledged_.end()) {
    unmatched_logged_.emplace(part, trace);
    return;
  }
  Match(part, trace, found->second);
  unmatched_acknowledged_.erase(found);
}

void PartLedger::NoteAcknowledged(const AcknowledgedPart& part) {
  ++acknowledged_;
  duplicates_ += part.duplicate;
  const PartKey key{part.client, part.incarnation, part.shard, part.sequence};
  const Trace trace{part.lsn, part.body_checksum};
  const auto found = unmatched_logged_.find(key);
  if (found != unmatched_logged_.end()) {
    Match(key, found->second, trace);
    unmatched_logged_.erase(found);
  } else if (!unmatched_acknowledged_.emplace(key, trace).second) {
    Complain("was acknowledged twice to one client", key);
  }
}

void PartLedger::Finish() {
  for (const auto& [part, trace] : unmatched_acknowledged_) {
    Complain(absl::StrFormat("was acknowledged with LSN %d and is not in the log (or was "
                             "acknowledged twice)",
                             trace.lsn.value()),
             part);
  }
}

void PartLedger::Match(const PartKey& part, const Trace& logged, const Trace& acknowledged) {
  if (logged == acknowledged) return;
  Complain(absl::StrFormat("was acknowledged with LSN %d and payload checksum %016x, and stands "
                           "in the log with LSN %d and %016x",
                           acknowledged.lsn.value(), acknowledged.checksum, logged.lsn.value(),
                           logged.checksum),
           part);
}

void PartLedger::Complain(std::string what, const PartKey& part) {
  ++error_count_;
  if (errors_.size() == kErrorsKept) return;
  errors_.push_back(absl::StrFormat("shard %d: push %d of client %d, incarnation %d, %s",
                                    part.shard.value(), part.sequence.value(), part.client.value(),
                                    part.incarnation.value(), what));
}

}  // namespace rowhouse

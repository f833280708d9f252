#include "storage/log_recovery.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "storage/damage_advice.h"
#include "storage/push_log_format.h"
#include "storage/segment_reader.h"

namespace rowhouse {
namespace {

Lsn After(Lsn lsn, uint64_t count = 1) { return Lsn(lsn.value() + count); }
uint64_t Before(Lsn lsn) { return lsn.value() - 1; }

absl::StatusOr<std::vector<LogSegment>> ListSegments(const LogFiles& files) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List());
  std::vector<LogSegment> segments;
  for (const std::string& name : names) {
    const std::optional<Lsn> first_lsn = ParseSegmentName(name);
    if (!first_lsn.has_value()) continue;
    ASSIGN_OR_RETURN(const uint64_t size_bytes, files.SizeBytes(name));
    segments.push_back({name, *first_lsn, size_bytes, 0});
  }
  return segments;
}

class Recovery {
 public:
  Recovery(const LogFiles& files, Lsn watermark, Lsn synced, const PushLog::Replay& replay)
      : files_(files),
        watermark_(watermark),
        synced_(std::max(synced, watermark)),
        replay_(replay) {}

  absl::StatusOr<RecoveredLog> Run() {
    ASSIGN_OR_RETURN(out_.segments, ListSegments(files_));
    out_.next_lsn = After(watermark_);
    if (!out_.segments.empty()) RETURN_IF_ERROR(ReadSegments());
    if (synced_ >= out_.next_lsn) return EndsTooEarly();
    return std::move(out_);
  }

 private:
  struct BatchEnd {
    Lsn last_lsn;
    uint64_t offset = 0;
  };

  absl::Status ReadSegments() {
    auto& segments = out_.segments;
    if (segments.front().first_lsn > out_.next_lsn) {
      return Missing(out_.next_lsn, segments.front());
    }
    size_t i = 0;
    while (i + 1 < segments.size() && segments[i + 1].first_lsn <= After(watermark_)) ++i;
    out_.next_lsn = segments[i].first_lsn;
    for (; i < segments.size(); ++i) {
      if (segments[i].first_lsn != out_.next_lsn) return Missing(out_.next_lsn, segments[i]);
      RETURN_IF_ERROR(ReadSegment(segments[i], i + 1 == segments.size()));
    }
    return absl::OkStatus();
  }

  absl::Status ReadSegment(LogSegment& segment, bool is_last) {
    SegmentReader reader(&files_, segment.name, segment.size_bytes);
    out_.synced_bytes = 0;
    out_.first_unsynced = segment.first_lsn;
    unsynced_.clear();
    absl::StatusOr<SegmentStep> step = reader.ReadHeader(segment.first_lsn);
    segment.format = reader.format();
    while (step.ok() && step->kind == SegmentStep::Kind::kBatch) {
      RETURN_IF_ERROR(Take(*step, reader.offset()));
      step = reader.ReadBatch(out_.next_lsn);
    }
    RETURN_IF_ERROR(step.status());
    if (step->kind == SegmentStep::Kind::kDamage) {
      RETURN_IF_ERROR(JudgeDamage(segment, is_last, *step, reader));
    }
    out_.tail_bytes = reader.offset();
    return absl::OkStatus();
  }

  // Only a batch that is whole gets here: replayed records are records that stay.
  absl::Status Take(const SegmentStep& batch, uint64_t end_offset) {
    synced_ = std::max(synced_, batch.synced_lsn);
    for (const LogRecord& record : batch.records) {
      if (record.lsn > watermark_) RETURN_IF_ERROR(replay_(record));
    }
    out_.next_lsn = After(out_.next_lsn, batch.records.size());
    if (!batch.records.empty()) unsynced_.push_back({Lsn(Before(out_.next_lsn)), end_offset});
    ForgetSynced();
    return absl::OkStatus();
  }

  void ForgetSynced() {
    while (!unsynced_.empty() && unsynced_.front().last_lsn <= synced_) {
      out_.synced_bytes = unsynced_.front().offset;
      out_.first_unsynced = After(unsynced_.front().last_lsn);
      unsynced_.pop_front();
    }
  }

  // A batch is the unit of writing and syncing: one synced LSN in it vouches for all of it.
  absl::Status JudgeDamage(const LogSegment& segment, bool is_last, const SegmentStep& damage,
                           SegmentReader& reader) {
    const std::string where = StrCat("push log: ", files_.Describe(segment.name), ", offset ",
                                     damage.offset, ": ", damage.what);
    if (!is_last) {
      return absl::DataLossError(StrCat(where,
                                        ". The segment had been synced before the next one was "
                                        "begun, so this is damage, not a torn tail. ",
                                        kDamageAdvice));
    }
    ASSIGN_OR_RETURN(const TailSurvey tail, reader.SurveyTail(reader.offset(), out_.next_lsn));
    synced_ = std::max(synced_, tail.synced_lsn);
    if (synced_ >= out_.next_lsn) {
      return absl::DataLossError(
          StrCat(where, ", in the batch that begins with LSN ", out_.next_lsn.value(),
                 ". Everything up to LSN ", synced_.value(),
                 " is known to have been synced, so this is damage, not a torn "
                 "tail. ",
                 kDamageAdvice));
    }
    out_.cut_message = StrCat(
        where, ". Nothing from LSN ", out_.next_lsn.value(),
        " on is known to have been synced, so this is a torn tail: the log was cut at offset ",
        reader.offset(), " and ", tail.whole_records,
        " whole records behind that place were dropped");
    return absl::OkStatus();
  }

  absl::Status Missing(Lsn first, const LogSegment& segment) const {
    if (segment.first_lsn < first) {
      return absl::DataLossError(StrCat("push log: ", files_.Describe(segment.name),
                                        ", offset 0: begins with LSN ", segment.first_lsn.value(),
                                        ", but the segment before it reaches LSN ", Before(first),
                                        ". ", kDamageAdvice));
    }
    return absl::DataLossError(StrCat("push log: ", files_.Describe(segment.name),
                                      ", offset 0: the records from LSN ", first.value(), " to ",
                                      Before(segment.first_lsn),
                                      ", which must precede it, are missing. ", kDamageAdvice));
  }

  absl::Status EndsTooEarly() const {
    const std::string where =
        out_.segments.empty()
            ? StrCat(files_.Describe(""), " holds no log segment")
            : StrCat(files_.Describe(out_.segments.back().name), ", offset ", out_.tail_bytes,
                     ": the log ends with LSN ", Before(out_.next_lsn));
    return absl::DataLossError(StrCat("push log: ", where, ", but LSN ", synced_.value(),
                                      " is known to have been synced. ", kDamageAdvice));
  }

  const LogFiles& files_;
  const Lsn watermark_;
  Lsn synced_;  // the highest that anything vouches for
  const PushLog::Replay& replay_;
  std::deque<BatchEnd> unsynced_;  // of the segment that is read: not known to have been synced
  RecoveredLog out_;
};

}  // namespace

absl::StatusOr<RecoveredLog> RecoverLog(const LogFiles& files, Lsn watermark, Lsn synced,
                                        const PushLog::Replay& replay) {
  return Recovery(files, watermark, synced, replay).Run();
}

}  // namespace rowhouse

#include "ps/verify.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>

#include "common/refusal.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "ps/shard.h"
#include "storage/data_dir.h"
#include "storage/log_recovery.h"
#include "storage/posix_log_files.h"
#include "storage/rocks_disk_tier.h"
#include "storage/row_codec.h"

namespace rowhouse {
namespace {

// What cannot be read because it is newer is not damaged, and says nothing of the rest.
bool IsJudgement(const absl::Status& status) { return !absl::IsUnimplemented(status); }

class Verifier {
 public:
  Verifier(const std::string& path, const ShardIdentity& identity, const VerifyObserver& observe)
      : path_(path),
        observe_(observe),
        map_(identity.shard_count),
        shard_(identity, ShardLimits(), SupportedAdagradKernels().back().kernel, &counters_) {
    verdict_.path = path;
    verdict_.shard = identity.shard.value();
    verdict_.shard_count = identity.shard_count;
  }

  absl::StatusOr<ShardVerdict> Run(const DataDir& dir) {
    RETURN_IF_ERROR(CheckRows(dir.rows_path()));
    RETURN_IF_ERROR(CheckLog(dir.log_path()));
    if (findings_ > kDamageMax) {
      verdict_.damage.push_back(StrCat("and ", findings_ - kDamageMax, " more"));
    }
    if (other_rows_ > 0) {
      verdict_.notes.push_back(
          StrCat(other_rows_, " stored rows belong to no table that there is"));
    }
    verdict_.tables = shard_.tables().all().size();
    verdict_.watermark = shard_.watermark().value();
    return std::move(verdict_);
  }

 private:
  void Find(std::string_view what) {
    if (++findings_ <= kDamageMax) verdict_.damage.emplace_back(what);
  }

  // Damage goes on the list; anything else ends the verification.
  absl::Status FindIn(const absl::Status& status) {
    if (!status.ok() && !IsJudgement(status)) return status;
    if (!status.ok()) Find(std::string_view(status.message().data(), status.message().size()));
    return absl::OkStatus();
  }

  absl::Status CheckRows(const std::string& path) {
    if (!std::filesystem::exists(path + "/CURRENT")) {
      Find(StrCat(path, " holds no database (there is no file CURRENT)"));
      return absl::OkStatus();
    }
    observe_("checksums of the files in rows/", 0, "files");
    RETURN_IF_ERROR(FindIn(VerifyRocksFiles(path)));
    const auto disk = OpenRocksDiskTierReadOnly(path);
    if (!disk.ok()) return FindIn(disk.status());
    const std::string meta_begin = MetaBegin();
    RETURN_IF_ERROR(
        FindIn((*disk)->Scan(meta_begin, "", [&](std::string_view key, std::string_view value) {
          return FindIn(shard_.RestoreMeta(key.substr(meta_begin.size()), value));
        })));
    return FindIn((*disk)->Scan("", meta_begin, [&](std::string_view key, std::string_view value) {
      return FindIn(CheckRow(key, value));
    }));
  }

  absl::Status CheckRow(std::string_view disk_key, std::string_view value) {
    ASSIGN_OR_RETURN(const RowKey key, DecodeRowKey(disk_key));
    if (map_.ShardOfSlot(key.slot) != shard_.identity().shard) {
      return absl::DataLossError(StrCat("stored row: key ", key.key.value(), " of slot ",
                                        key.slot.value(), " belongs to shard ",
                                        map_.ShardOfSlot(key.slot).value()));
    }
    ASSIGN_OR_RETURN(const Generation generation, RowGeneration(value));
    const TableRows* table = shard_.tables().Find(key.table);
    if (table == nullptr || table->generation() != generation) {
      ++other_rows_;
      return absl::OkStatus();
    }
    const auto loaded = LoadValue(value, table->layout());
    if (!loaded.ok()) {
      return absl::DataLossError(StrCat("table '", table->spec().name, "', key ", key.key.value(),
                                        ": ", loaded.status().message()));
    }
    Lsn lsn;
    std::memcpy(static_cast<void*>(&lsn), loaded->data(), sizeof(lsn));
    highest_row_lsn_ = std::max(highest_row_lsn_, lsn);
    if (++verdict_.rows % 1024 == 0) observe_("rows", verdict_.rows, "rows");
    return absl::OkStatus();
  }

  absl::Status CheckLog(const std::string& path) {
    if (!std::filesystem::is_directory(path)) {
      Find(StrCat(path, " is missing"));
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const std::unique_ptr<LogFiles> files, OpenPosixLogFiles(path));
    const Lsn synced = std::max({shard_.watermark(), highest_row_lsn_, shard_.highest_row_lsn()});
    const auto log = RecoverLog(*files, shard_.watermark(), synced, [&](const LogRecord& record) {
      if (++verdict_.records % 64 == 0) observe_("push log", verdict_.records, "records");
      return FindIn(CheckRecord(record));
    });
    if (!log.ok()) return FindIn(log.status());
    verdict_.last_lsn = log->next_lsn.value() - 1;
    verdict_.log_segments = log->segments.size();
    if (!log->cut_message.empty()) {
      verdict_.notes.push_back(StrCat("a start would cut the log: ", log->cut_message));
    }
    return absl::OkStatus();
  }

  absl::Status CheckRecord(const LogRecord& record) {
    if (record.type != RecordType::kPush) return shard_.Replay(record).status();
    const auto push = PushView::Parse(record.body, std::numeric_limits<uint64_t>::max());
    if (!push.ok()) return About(record, push.status());
    if (record.prefix.size() != push->section_count() * sizeof(float)) {
      return About(record,
                   absl::DataLossError(StrCat(record.prefix.size(), " bytes of learning rates for ",
                                              push->section_count(), " sections")));
    }
    for (uint32_t i = 0; i < push->section_count(); ++i) {
      const absl::Status status = CheckSection(push->section(i));
      if (!status.ok()) return About(record, status);
    }
    return absl::OkStatus();
  }

  absl::Status CheckSection(const PushSection& section) const {
    const TableRows* table = shard_.tables().Find(section.header.table);
    if (table == nullptr || table->generation() != section.header.generation) {
      return absl::OkStatus();
    }
    if (section.header.dim != table->spec().dim) {
      return absl::DataLossError(StrCat("table '", table->spec().name, "': dim is ",
                                        table->spec().dim, " in the table, ", section.header.dim,
                                        " in the record"));
    }
    return CheckOwned(*table, section.keys, map_, shard_.identity().shard);
  }

  static absl::Status About(const LogRecord& record, const absl::Status& status) {
    return absl::DataLossError(StrCat("log record ", record.lsn.value(), ": ", status.message()));
  }

  const std::string path_;
  const VerifyObserver& observe_;
  const SlotMap map_;
  RefusalCounters counters_;
  Shard shard_;  // holds bookkeeping, no rows
  ShardVerdict verdict_;
  size_t findings_ = 0;
  uint64_t other_rows_ = 0;
  Lsn highest_row_lsn_;
};

}  // namespace

absl::StatusOr<ShardVerdict> VerifyShard(const std::string& path, const VerifyObserver& observe) {
  const auto dir = DataDir::OpenExisting(path);
  if (absl::IsDataLoss(dir.status())) {
    ShardVerdict verdict;
    verdict.path = path;
    verdict.damage.emplace_back(dir.status().message());
    return verdict;
  }
  RETURN_IF_ERROR(dir.status());
  return Verifier(path, (*dir)->identity(), observe).Run(**dir);
}

}  // namespace rowhouse

#include "tests/simulation/checkpoint_checks.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>

#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/archive.h"
#include "common/wire/checkpoint.h"
#include "common/wire/data.h"
#include "ps/shard.h"
#include "ps/shard_storage.h"
#include "storage/memory_disk_tier.h"
#include "storage/memory_log_files.h"
#include "tests/simulation/shard_rows.h"

namespace rowhouse {
namespace {

template <typename... Parts>
absl::Status Broken(const Parts&... parts) {
  return absl::DataLossError(StrCat("checkpoint: ", parts...));
}

PushHeader HeaderOf(const LogRecord& record) {
  return PushView::Parse(record.body, std::numeric_limits<uint64_t>::max())->header();
}

// Visits each record with its mark.
template <typename Visit>
void VisitMarked(const Journal& journal, Visit visit) {
  Mark announced;
  for (const LogRecord& record : journal) {
    if (record.type == RecordType::kAnnounceMark) {
      announced = std::max(announced, DecodeControl<AnnounceMark>(record.body)->mark);
    }
    Mark mark = announced;
    if (record.type == RecordType::kPush) {
      const Mark own = HeaderOf(record).mark;
      if (own != Mark(0)) mark = own;
    }
    visit(record, mark);
  }
}

absl::Status FillLog(const PublishedShard& published, LogFiles* files) {
  for (const auto& [name, bytes] : published.segments) {
    ASSIGN_OR_RETURN(const auto file, files->Create(name));
    const std::span<const std::byte> content(bytes);
    RETURN_IF_ERROR(file->Append(std::span(&content, 1)));
  }
  return absl::OkStatus();
}

struct Parts {
  uint32_t present = 0;
  uint32_t all = 0;
};

}  // namespace

Journal RecordsOfCut(const Journal& journal, Mark mark) {
  Journal cut;
  VisitMarked(journal, [&](const LogRecord& record, Mark own) {
    if (own < mark || record.type == RecordType::kCreateTable) cut.push_back(record);
  });
  return cut;
}

absl::StatusOr<Rows> RecoverCut(const PublishedShard& published, Mark mark) {
  ShardStorage storage;
  storage.disk = MakeMemoryDiskTier();
  storage.files = std::make_unique<MemoryLogFiles>();
  if (!published.entries.empty()) RETURN_IF_ERROR(storage.disk->Ingest(published.entries));
  RETURN_IF_ERROR(FillLog(published, storage.files.get()));
  RefusalCounters counters;
  Shard shard({Timeline(1), ShardId(0), 1, kSlotBits}, ShardLimits(), AdagradScalar, &counters);
  shard.SetReplayCut(mark);
  std::string found;
  RETURN_IF_ERROR(RestoreShard(PushLogOptions(), &storage, &shard, &found));
  Rows rows;
  AddRowsInMemory(shard, &rows);
  return rows;
}

absl::Status CheckCut(const Journal& journal, Mark mark, Lsn cut, const Rows& recovered) {
  Oracle oracle;
  for (const LogRecord& record : RecordsOfCut(journal, mark)) {
    if (record.type == RecordType::kPush && record.lsn > cut) {
      return Broken("mark ", mark.value(), ": LSN ", record.lsn.value(),
                    " belongs to the cut, which was made at LSN ", cut.value());
    }
    RETURN_IF_ERROR(oracle.Apply(record));
  }
  const absl::Status same = CompareRows(oracle.rows(), recovered);
  if (!same.ok()) return Broken("mark ", mark.value(), ": ", std::string(same.message()));
  return absl::OkStatus();
}

absl::Status CheckWholeSteps(std::span<const Journal* const> journals, Mark mark,
                             std::span<const HalfStep> half, const std::set<PushName>& excused) {
  std::map<PushName, Parts> pushes;
  for (const Journal* journal : journals) {
    for (const LogRecord& record : RecordsOfCut(*journal, mark)) {
      if (record.type != RecordType::kPush) continue;
      const PushHeader h = HeaderOf(record);
      Parts& parts = pushes[{h.client, h.incarnation, h.sequence}];
      ++parts.present;
      parts.all = h.part_count;
    }
  }
  std::set<PushName> named;
  for (const HalfStep& step : half) named.insert({step.client, step.incarnation, step.sequence});
  for (const auto& [name, parts] : pushes) {
    if (parts.present == parts.all && named.contains(name)) {
      return Broken("mark ", mark.value(), ": push ", std::get<Sequence>(name).value(),
                    " of client ", std::get<ClientId>(name).value(),
                    " is named as half done, and is whole");
    }
    if (parts.present == parts.all || named.contains(name) || excused.contains(name)) continue;
    const auto& [client, incarnation, sequence] = name;
    return Broken("mark ", mark.value(), ": of push ", sequence.value(), " of client ",
                  client.value(), ".", incarnation.value(), " it holds ", parts.present, " of ",
                  parts.all, " parts");
  }
  return absl::OkStatus();
}

void AddLostPushes(std::span<const Life> lives, std::span<const Ack> acks,
                   std::set<PushName>* lost) {
  for (const Ack& ack : acks) {
    for (size_t i = ack.life; i + 1 < lives.size(); ++i) {
      if (ack.lsn <= lives[i].survived) continue;
      lost->insert({ack.part.client, ack.part.incarnation, ack.part.sequence});
      break;
    }
  }
}

}  // namespace rowhouse

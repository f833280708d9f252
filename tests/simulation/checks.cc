#include "tests/simulation/checks.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/archive.h"
#include "common/wire/data.h"
#include "common/wire/frame.h"
#include "ps/client_table.h"

namespace rowhouse {
namespace {

template <typename... Parts>
absl::Status Broken(const Parts&... parts) {
  return absl::DataLossError(StrCat(parts...));
}

std::string NameOf(const PushHeader& h) {
  return StrCat("push ", h.sequence.value(), " of client ", h.client.value(), ".",
                h.incarnation.value());
}

absl::StatusOr<PushHeader> HeaderOf(const LogRecord& record) {
  ASSIGN_OR_RETURN(const PushView push,
                   PushView::Parse(record.body, std::numeric_limits<uint64_t>::max()));
  return push.header();
}

// Reads a log as the rules of clients and incarnations do.
class RecordRules {
 public:
  absl::Status Take(const LogRecord& record) {
    if (Checksum(record.body) != record.body_checksum) {
      return Broken("record bytes: LSN ", record.lsn.value(), " does not match its checksum");
    }
    if (record.type == RecordType::kOpenClient) return TakeOpen(record);
    return record.type == RecordType::kPush ? TakePush(record) : absl::OkStatus();
  }

 private:
  absl::Status TakeOpen(const LogRecord& record) {
    ASSIGN_OR_RETURN(const OpenClientRecord open, DecodeControl<OpenClientRecord>(record.body));
    for (const ClientId client : open.forgotten) open_.erase(client);
    Incarnation& incarnation = open_[open.client];
    if (open.incarnation < incarnation) {
      return Broken("fence: LSN ", record.lsn.value(), " opens client ", open.client.value(), ".",
                    open.incarnation.value(), " below ", incarnation.value());
    }
    incarnation = open.incarnation;
    return absl::OkStatus();
  }

  absl::Status TakePush(const LogRecord& record) {
    ASSIGN_OR_RETURN(const PushHeader h, HeaderOf(record));
    const std::string where = StrCat("LSN ", record.lsn.value(), ", ", NameOf(h));
    if (!seen_.emplace(h.client, h.incarnation, h.sequence, h.first_shard).second) {
      return Broken("applied twice: ", where);
    }
    const auto open = open_.find(h.client);
    if (open == open_.end() || open->second != h.incarnation) {
      return Broken("fence: ", where, ", which is not the incarnation that is open");
    }
    Sequence& last = last_[{h.client, h.incarnation}];
    if (h.sequence <= last) return Broken("order: ", where, " comes after ", last.value());
    last = h.sequence;
    return absl::OkStatus();
  }

  std::map<ClientId, Incarnation> open_;
  std::map<std::pair<ClientId, Incarnation>, Sequence> last_;
  std::set<std::tuple<ClientId, Incarnation, Sequence, ShardId>> seen_;
};

bool SameRecord(const LogRecord& a, const LogRecord& b) {
  return a.lsn == b.lsn && a.type == b.type && a.arrival_ms == b.arrival_ms &&
         a.prefix == b.prefix &&
         std::equal(a.body.begin(), a.body.end(), b.body.begin(), b.body.end());
}

// What the log still holds of a life that ended so, at least.
Durability NeededFor(LifeEnd end) {
  switch (end) {
    case LifeEnd::kKilled:
      return Durability::kLog;
    case LifeEnd::kPowerCut:
      return Durability::kFsync;
    default:
      return Durability::kMemory;
  }
}

// Whether the ack's record was lost in a way that was allowed, or is where it should be.
absl::Status CheckAck(std::span<const Life> lives, const Ack& ack) {
  const SentPart& part = ack.part;
  const std::string what =
      StrCat("push ", part.sequence.value(), " of client ", part.client.value(), ".",
             part.incarnation.value(), ", acknowledged with LSN ", ack.lsn.value(), " (",
             DurabilityName(part.durability), ")");
  for (size_t i = ack.life; i < lives.size(); ++i) {
    const Life& life = lives[i];
    const bool ended = i + 1 < lives.size();
    if (ended && ack.lsn > life.survived) {
      if (part.durability < NeededFor(life.end)) return absl::OkStatus();
      return Broken("acknowledged push lost: ", what, " when life ", i, " ended; the log reaches ",
                    life.survived.value());
    }
    if (ack.lsn == Lsn(0) || ack.lsn.value() > life.journal.size()) {
      if (part.durability == Durability::kMemory) return absl::OkStatus();  // not yet offered
      return Broken("acknowledged push lost: ", what, ": the log reaches ", life.journal.size());
    }
    const LogRecord& record = life.journal[ack.lsn.value() - 1];
    if (record.type != RecordType::kPush) return Broken("wrong LSN: ", what, ": it is no push");
    ASSIGN_OR_RETURN(const PushHeader h, HeaderOf(record));
    if (std::tie(h.client, h.incarnation, h.sequence, h.first_shard) !=
        std::tie(part.client, part.incarnation, part.sequence, part.first_shard)) {
      return Broken("wrong LSN: ", what, ": there stands ", NameOf(h));
    }
    if (record.body_checksum != part.body_checksum) {
      return Broken("payload: ", what, " has other bytes in the log than were sent");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPulledRow(const Oracle& oracle, const PulledRow& row) {
  if (!oracle.has_table(row.table)) {
    return Broken("pulled row: life ", row.life, ", LSN ", row.lsn.value(),
                  ": of a table that was not created yet");
  }
  if (SameBits(oracle.Weights(row.table, row.key), row.weights)) return absl::OkStatus();
  return Broken("pulled row: life ", row.life, ", LSN ", row.lsn.value(), ", table ",
                row.table.value(), ", key ", row.key.value(), " differs from the oracle");
}

absl::Status CheckPullsOfLife(const Journal& journal, std::span<const PulledRow* const> pulled,
                              uint64_t* unknown) {
  Oracle oracle;
  size_t applied = 0;
  for (const PulledRow* row : pulled) {
    if (row->lsn.value() > journal.size()) {
      ++*unknown;
      continue;
    }
    while (applied < row->lsn.value()) RETURN_IF_ERROR(oracle.Apply(journal[applied++]));
    RETURN_IF_ERROR(CheckPulledRow(oracle, *row));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckRecords(const Journal& journal) {
  RecordRules rules;
  for (size_t i = 0; i < journal.size(); ++i) {
    if (journal[i].lsn.value() != i + 1) {
      return Broken("record order: LSN ", journal[i].lsn.value(), " at place ", i + 1);
    }
    RETURN_IF_ERROR(rules.Take(journal[i]));
  }
  return absl::OkStatus();
}

absl::Status CheckSurvival(const Life& life, const Journal& found) {
  if (found.size() > life.journal.size()) {
    return Broken("log: it holds ", found.size(), " records, ", life.journal.size(),
                  " were offered");
  }
  for (size_t i = 0; i < found.size(); ++i) {
    if (!SameRecord(found[i], life.journal[i])) {
      return Broken("log: LSN ", i + 1, " is another record than was offered");
    }
  }
  if (life.end == LifeEnd::kStopped && found.size() != life.journal.size()) {
    return Broken("log: after an orderly stop it reaches ", found.size(), ", not ",
                  life.journal.size());
  }
  if (found.size() < life.synced.value()) {
    return Broken("log: it reaches ", found.size(), ", but ", life.synced.value(),
                  " was known to be synced");
  }
  return absl::OkStatus();
}

absl::Status CheckAcks(std::span<const Life> lives, std::span<const Ack> acks) {
  for (const Ack& ack : acks) RETURN_IF_ERROR(CheckAck(lives, ack));
  return absl::OkStatus();
}

absl::Status CheckPulls(std::span<const Life> lives, std::span<const PulledRow> pulled,
                        uint64_t* unknown) {
  std::map<size_t, std::vector<const PulledRow*>> by_life;
  for (const PulledRow& row : pulled) by_life[row.life].push_back(&row);
  for (auto& [life, rows] : by_life) {
    std::stable_sort(rows.begin(), rows.end(),
                     [](const PulledRow* a, const PulledRow* b) { return a->lsn < b->lsn; });
    RETURN_IF_ERROR(CheckPullsOfLife(lives[life].journal, rows, unknown));
  }
  return absl::OkStatus();
}

absl::Status CheckState(const Journal& journal, const Rows& found) {
  Oracle oracle;
  for (const LogRecord& record : journal) RETURN_IF_ERROR(oracle.Apply(record));
  return CompareRows(oracle.rows(), found);
}

absl::Status CompareRows(const Rows& expected, const Rows& found) {
  for (const auto& [name, row] : expected) {
    const auto at = found.find(name);
    const std::string what = StrCat("state: table ", name.first.value(), ", key ",
                                    name.second.value(), " (LSN ", row.lsn.value(), ")");
    if (at == found.end()) return Broken(what, " is missing");
    if (!SameBits(at->second, row)) {
      return Broken(what, " differs from the oracle; it has LSN ", at->second.lsn.value());
    }
  }
  if (found.size() > expected.size()) {
    return Broken("state: ", found.size(), " rows, the oracle has ", expected.size());
  }
  return absl::OkStatus();
}

absl::Status CheckOrder(std::span<const Answered> answers) {
  for (const Answered& pull : answers) {
    if (!pull.is_pull) continue;
    for (const Answered& push : answers) {
      if (push.is_pull || push.life != pull.life || push.id > pull.id) continue;
      if (push.lsn <= pull.lsn) continue;
      return Broken("order: pull ", pull.id, " was answered at LSN ", pull.lsn.value(),
                    ", before push ", push.id, " with LSN ", push.lsn.value(),
                    ", which was sent first");
    }
  }
  return absl::OkStatus();
}

}  // namespace rowhouse

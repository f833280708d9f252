// What has to hold of a run, as functions of what was seen of it; each has a canary test that feeds
// it a broken history.
//
// A shard's life lasts from one start to the next crash or stop. Within a life the records that the
// shard offered for writing are its journal; of it, what `survived` is what the next life finds.
//
// Threading: free functions.
// Errors: DataLoss, "<check>: <what is wrong>".
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "common/table_spec.h"
#include "common/types.h"
#include "storage/push_log.h"
#include "tests/simulation/oracle.h"

namespace rowhouse {

using Journal = std::vector<LogRecord>;  // LSN n is element n - 1

// Ordered: a later one takes more with it.
enum class LifeEnd { kStopped, kKilled, kPowerCut, kStillRunning };

struct Life {
  Journal journal;
  Lsn synced;    // the highest that the shard was told to be synced
  Lsn survived;  // of a life that ended, once the next one has begun
  LifeEnd end = LifeEnd::kStillRunning;
};

// A push's part on one shard, as the client that sent it knows it.
struct SentPart {
  ClientId client;
  Incarnation incarnation;
  Sequence sequence;
  ShardId first_shard;
  uint64_t body_checksum = 0;
  Durability durability = Durability::kMemory;
};

struct Ack {
  SentPart part;
  size_t life = 0;  // in which it was answered
  Lsn lsn;
};

struct PulledRow {
  size_t life = 0;
  Lsn lsn;
  TableId table;
  Key key;
  std::vector<float> weights;
};

// An answer to a request of one client process on one shard; `id` tells the order of sending.
struct Answered {
  uint64_t id = 0;
  bool is_pull = false;
  size_t life = 0;
  Lsn lsn;
};

// Bodies match their checksums; no part is there twice; every push is of the incarnation that is
// open at that place; the numbers of one incarnation rise.
absl::Status CheckRecords(const Journal& journal);

// What the next life found is the beginning of what this one offered, as much of it as `end`
// promises.
absl::Status CheckSurvival(const Life& life, const Journal& found);

// Every acknowledged part stands in the log under the LSN that was answered, with the bytes that
// were sent, unless it was lost with a crash that its durability does not cover.
absl::Status CheckAcks(std::span<const Life> lives, std::span<const Ack> acks);

// Every pulled row is what the oracle says at the LSN of the answer. Rows of a life that crashed
// before it had offered all records up to that LSN cannot be judged: their number is added to
// `unknown`.
absl::Status CheckPulls(std::span<const Life> lives, std::span<const PulledRow> pulled,
                        uint64_t* unknown);

// The rows, their accumulators and their LSNs are those of the oracle, to the bit.
absl::Status CheckState(const Journal& journal, const Rows& found);

// The same rows, to the bit. Errors: "state: ..." for the first that differs.
absl::Status CompareRows(const Rows& expected, const Rows& found);

// A pull sees the pushes that were sent before it on its connection.
absl::Status CheckOrder(std::span<const Answered> answers);

}  // namespace rowhouse

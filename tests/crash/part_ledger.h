// Holds what clients were told against what the logs hold, part by part, as both come in.
//
// An acknowledged part must stand in its shard's log once, under the LSN and with the payload
// checksum that the client saw. A part that stands there twice was applied twice. Parts that match
// are forgotten but for their number, so a run of any length fits in memory.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/types.h"
#include "worker/client.h"

namespace rowhouse {

// A set of numbers that are mostly consecutive.
class NumberSet {
 public:
  // False where it was there.
  bool Add(uint64_t number);

 private:
  std::map<uint64_t, uint64_t> ranges_;  // first -> last
};

class PartLedger {
 public:
  struct PartKey {
    ClientId client;
    Incarnation incarnation;
    ShardId shard;
    Sequence sequence;
    auto operator<=>(const PartKey&) const = default;
  };
  struct Trace {
    Lsn lsn;
    uint64_t checksum = 0;
    bool operator==(const Trace&) const = default;
  };

  void NoteLogged(const PartKey& part, const Trace& trace);
  void NoteAcknowledged(const AcknowledgedPart& part);
  // When all logs and journals are read: acknowledged parts that no log holds.
  void Finish();

  uint64_t logged() const { return logged_; }
  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t duplicates() const { return duplicates_; }
  uint64_t never_acknowledged() const { return unmatched_logged_.size(); }
  // What is wrong, in words; the first hundred of `error_count`.
  const std::vector<std::string>& errors() const { return errors_; }
  uint64_t error_count() const { return error_count_; }

 private:
  struct Stream {  // parts of one client's life on one shard
    ClientId client;
    Incarnation incarnation;
    ShardId shard;
    auto operator<=>(const Stream&) const = default;
  };
  void Match(const PartKey& part, const Trace& logged, const Trace& acknowledged);
  void Complain(std::string what, const PartKey& part);

  std::map<Stream, NumberSet> logged_numbers_;
  std::map<PartKey, Trace> unmatched_logged_;
  std::map<PartKey, Trace> unmatched_acknowledged_;
  uint64_t logged_ = 0;
  uint64_t acknowledged_ = 0;
  uint64_t duplicates_ = 0;
  uint64_t error_count_ = 0;
  std::vector<std::string> errors_;
};

}  // namespace rowhouse

// Which rows must be in memory, and which are on their way there from the disk tier.
//
// A slot of which nothing was ever evicted or left on disk is complete: a key that is absent there
// is on no disk either. A request whose keys are not all known in this sense pins them:
//
//   const Pin pin = residency.Begin(rows, waiter);   // pin.loads keys are to be read first
//   while (auto job = residency.NextJob()) ... carry it out, then
//   residency.Done(outcome, &arrivals);              // one arrival for each load of each waiter
//   residency.BeforePush(rows);  ... apply ...       // only for a push
//   residency.End(pin.id);
//
// From Begin to End no row of the request leaves memory, and what was found to be on no disk stays
// known. A key is read once at a time: a second reader joins the first. Were two reads of a key
// under way, the later outcome could bring back a row that was changed and evicted in between.
//
// How a pin works: pins are numbered, a pinned row is stamped with the newest number, and a row
// stays as long as its stamp is not older than the oldest pin that is held. So nothing has to be
// undone row by row, and a row may stay a little longer than it must.
//
// Threading: one shard, one thread.
// Cost: Begin looks every key up; an absent one costs an entry of a hash map until it is read and
//   its pin is gone.
#pragma once

#include <bitset>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "common/fingerprint.h"
#include "common/slot_map.h"
#include "common/types.h"
#include "ps/effects.h"
#include "storage/row_layout.h"
#include "storage/table_rows.h"

namespace rowhouse {

// Rows that a request names: a section of a pull or push.
struct RowsOfTable {
  TableRows* table = nullptr;
  std::span<const Key> keys;
};

class Residency {
 public:
  struct Limits {
    uint32_t read_job_keys;  // in one job
    uint32_t read_jobs_max;  // under way at a time
  };
  struct Pin {
    uint64_t id = 0;     // from 1
    uint64_t loads = 0;  // arrivals that `waiter` has to expect
  };
  struct Arrival {
    uint64_t waiter = 0;
    absl::Status status;
  };

  explicit Residency(Limits limits) : limits_(limits) { complete_.set(); }

  bool IsComplete(SlotId slot) const { return complete_[slot.value()]; }
  void MarkIncomplete(SlotId slot) { complete_.reset(slot.value()); }
  bool all_complete() const { return complete_.all(); }

  // Whether every key is in memory or known to be on no disk. Rows found count as referenced.
  bool AllKnown(std::span<const RowsOfTable> rows) const;
  // Positions in `keys` of those that only the disk tier knows.
  std::vector<uint32_t> Unknown(const TableRows& table, std::span<const Key> keys) const;

  // Whether there is a number for one more pin.
  bool CanBegin() const { return held_.size() < kRowPinCount / 4; }
  // waiter: not 0. REQUIRES: CanBegin().
  Pin Begin(std::span<const RowsOfTable> rows, uint64_t waiter);
  void End(uint64_t pin);
  // Bytes of rows and of absent keys that pins keep, at most.
  uint64_t pinned_bytes() const { return pinned_bytes_; }
  bool IsPinned(const RowHeader& header) const;

  // Before rows come into being by a push: those that other requests have pinned as absent are
  // pinned as rows.
  void BeforePush(std::span<const RowsOfTable> rows);

  // A read job, where keys wait to be read and not too many jobs are under way.
  std::optional<ReadJob> NextJob();
  void Done(const ReadOutcome& outcome, std::vector<Arrival>* arrivals);

  uint64_t misses() const { return misses_; }  // keys asked of the disk tier, ever
  uint64_t jobs() const { return jobs_; }      // read jobs, ever
  uint64_t used_bytes() const;

 private:
  enum class AbsentState { kNew, kQueued, kReading, kOnNoDisk, kFailed };
  struct AbsentKey {
    TableRows* table;
    Key key;
    bool operator==(const AbsentKey&) const = default;
  };
  struct AbsentHash {
    size_t operator()(const AbsentKey& k) const { return Fingerprint(k.table->id(), k.key); }
  };
  struct Absent {
    AbsentState state = AbsentState::kNew;
    uint64_t pin = 0;                                     // the newest one that wants the key
    uint64_t waiter = 0;                                  // the first one; 0: none
    std::unique_ptr<std::vector<uint64_t>> more_waiters;  // where there is more than one
  };
  struct HeldPin {
    uint64_t id;
    uint64_t bytes;
    bool ended = false;
  };
  using AbsentMap = std::unordered_map<AbsentKey, Absent, AbsentHash>;

  // The number of the oldest pin held; one behind the newest where none is.
  uint64_t oldest_pin() const { return held_.empty() ? last_pin_ + 1 : held_.front().id; }
  void Stamp(RowHeader& header) const;
  uint64_t PinRows(TableRows& table, std::span<const Key> keys, uint64_t waiter);
  bool PinAbsent(const AbsentKey& key, uint64_t waiter);
  static void AddWaiter(Absent* absent, uint64_t waiter);
  static void TellWaiters(Absent* absent, const absl::Status& status,
                          std::vector<Arrival>* arrivals);
  void ForgetUnpinned();
  void Settle(const AbsentKey& key, const std::optional<std::string>* value, absl::Status status,
              std::vector<Arrival>* arrivals);
  absl::StatusOr<bool> TakeIn(const AbsentKey& key, const std::string& value);

  const Limits limits_;
  std::bitset<kSlotCount> complete_;
  AbsentMap absent_;
  std::deque<AbsentKey> wanted_;                                    // to be read
  std::unordered_map<uint64_t, std::vector<AbsentKey>> under_way_;  // by job
  std::deque<HeldPin> held_;                                  // from the oldest that is held on
  std::deque<std::pair<uint64_t, AbsentKey>> pinned_absent_;  // in the order of pins
  uint64_t pinned_bytes_ = 0;
  uint64_t last_pin_ = 0;
  uint64_t misses_ = 0;
  uint64_t jobs_ = 0;
};

}  // namespace rowhouse

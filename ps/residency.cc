#include "ps/residency.h"

#include <glog/logging.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/status_macros.h"
#include "storage/row_codec.h"

namespace rowhouse {
namespace {

constexpr size_t kChunkKeys = 64;
constexpr uint64_t kAbsentBytes = 160;  // of an absent key: its entry, and the places that name it

SlotId SlotOfRow(const TableRows& table, Key key) { return SlotOf(Fingerprint(table.id(), key)); }

// Calls take(position, row or null) for every key.
template <typename Take>
void ForEachRow(const TableRows& table, std::span<const Key> keys, Take take) {
  std::array<std::byte*, kChunkKeys> rows;
  for (size_t first = 0; first < keys.size(); first += kChunkKeys) {
    const auto chunk = keys.subspan(first, std::min(kChunkKeys, keys.size() - first));
    table.Find(chunk, std::span(rows).first(chunk.size()));
    for (size_t i = 0; i < chunk.size(); ++i) take(first + i, rows[i]);
  }
}

// Rows that are read often stay clean lines of the cache.
void Reference(RowHeader& header) {
  if ((header.flags & kRowReferenced) == 0) header.flags |= kRowReferenced;
}

}  // namespace

bool Residency::AllKnown(std::span<const RowsOfTable> rows) const {
  std::array<std::byte*, kChunkKeys> found;
  for (const auto& [table, keys] : rows) {
    for (size_t first = 0; first < keys.size(); first += kChunkKeys) {
      const auto chunk = keys.subspan(first, std::min(kChunkKeys, keys.size() - first));
      table->Find(chunk, std::span(found).first(chunk.size()));
      for (size_t i = 0; i < chunk.size(); ++i) {
        if (found[i] != nullptr) {
          Reference(RowLayout::Header(found[i]));
        } else if (!IsComplete(SlotOfRow(*table, chunk[i]))) {
          return false;
        }
      }
    }
  }
  return true;
}

std::vector<uint32_t> Residency::Unknown(const TableRows& table, std::span<const Key> keys) const {
  std::vector<uint32_t> unknown;
  ForEachRow(table, keys, [&](size_t i, const std::byte* row) {
    if (row != nullptr || IsComplete(SlotOfRow(table, keys[i]))) return;
    unknown.push_back(static_cast<uint32_t>(i));
  });
  return unknown;
}

Residency::Pin Residency::Begin(std::span<const RowsOfTable> rows, uint64_t waiter) {
  CHECK(CanBegin());
  Pin pin{++last_pin_, 0};
  uint64_t bytes = 0;
  const size_t absent_before = pinned_absent_.size();
  for (const auto& [table, keys] : rows) {
    pin.loads += PinRows(*table, keys, waiter);
    bytes += keys.size() * table->layout().stride_bytes();
  }
  bytes += (pinned_absent_.size() - absent_before) * kAbsentBytes;
  held_.push_back({pin.id, bytes, false});
  pinned_bytes_ += bytes;
  return pin;
}

uint64_t Residency::PinRows(TableRows& table, std::span<const Key> keys, uint64_t waiter) {
  uint64_t loads = 0;
  ForEachRow(table, keys, [&](size_t i, std::byte* row) {
    if (row == nullptr) {
      loads += PinAbsent({&table, keys[i]}, waiter);
    } else {
      Reference(RowLayout::Header(row));
      Stamp(RowLayout::Header(row));
    }
  });
  return loads;
}

// Whether the waiter has to wait for the key.
bool Residency::PinAbsent(const AbsentKey& key, uint64_t waiter) {
  Absent& absent = absent_[key];
  if (absent.pin != last_pin_) {
    absent.pin = last_pin_;
    pinned_absent_.emplace_back(last_pin_, key);
  }
  if (absent.state == AbsentState::kNew && IsComplete(SlotOfRow(*key.table, key.key))) {
    absent.state = AbsentState::kOnNoDisk;
  }
  if (absent.state == AbsentState::kOnNoDisk) return false;
  if (absent.state == AbsentState::kNew || absent.state == AbsentState::kFailed) {
    absent.state = AbsentState::kQueued;
    wanted_.push_back(key);
  }
  AddWaiter(&absent, waiter);
  return true;
}

void Residency::AddWaiter(Absent* absent, uint64_t waiter) {
  if (absent->waiter == 0) {
    absent->waiter = waiter;
    return;
  }
  if (absent->more_waiters == nullptr) {
    absent->more_waiters = std::make_unique<std::vector<uint64_t>>();
  }
  absent->more_waiters->push_back(waiter);
}

void Residency::TellWaiters(Absent* absent, const absl::Status& status,
                            std::vector<Arrival>* arrivals) {
  if (absent->waiter == 0) return;
  arrivals->push_back({absent->waiter, status});
  absent->waiter = 0;
  const auto more = std::move(absent->more_waiters);
  if (more == nullptr) return;
  for (const uint64_t waiter : *more) arrivals->push_back({waiter, status});
}

void Residency::Stamp(RowHeader& header) const {
  header.flags = (header.flags & ~kRowPinMask) | static_cast<uint32_t>(last_pin_) << kRowPinShift;
}

// Stamps are cut to 16 bits: one that is 65,536 pins old looks new, and the row stays needlessly
// until the eviction hand comes by again.
bool Residency::IsPinned(const RowHeader& header) const {
  if (held_.empty()) return false;
  const auto oldest = static_cast<uint16_t>(oldest_pin());
  const auto stamp = static_cast<uint16_t>(header.flags >> kRowPinShift);
  const auto held = static_cast<uint16_t>(static_cast<uint16_t>(last_pin_) - oldest);
  return static_cast<uint16_t>(stamp - oldest) <= held;
}

void Residency::End(uint64_t pin) {
  CHECK(!held_.empty() && pin >= held_.front().id && pin <= last_pin_);
  held_[pin - held_.front().id].ended = true;
  while (!held_.empty() && held_.front().ended) {
    pinned_bytes_ -= held_.front().bytes;
    held_.pop_front();
  }
  ForgetUnpinned();
}

void Residency::ForgetUnpinned() {
  while (!pinned_absent_.empty() && pinned_absent_.front().first < oldest_pin()) {
    const auto found = absent_.find(pinned_absent_.front().second);
    pinned_absent_.pop_front();
    if (found == absent_.end() || found->second.pin >= oldest_pin()) continue;
    // One that is queued is dropped when its turn comes; one that is being read must stay known.
    const AbsentState state = found->second.state;
    if (state == AbsentState::kOnNoDisk || state == AbsentState::kFailed) absent_.erase(found);
  }
}

void Residency::BeforePush(std::span<const RowsOfTable> rows) {
  if (absent_.empty()) return;
  for (const auto& [table, keys] : rows) {
    ForEachRow(*table, keys, [&, table = table, keys = keys](size_t i, const std::byte* row) {
      if (row != nullptr || absent_.erase({table, keys[i]}) == 0) return;
      std::byte* created = nullptr;
      table->FindOrCreate(keys.subspan(i, 1), {&created, 1});
      Stamp(RowLayout::Header(created));
    });
  }
}

std::optional<ReadJob> Residency::NextJob() {
  if (under_way_.size() >= limits_.read_jobs_max) return std::nullopt;
  ReadJob job;
  std::vector<AbsentKey> keys;
  while (!wanted_.empty() && keys.size() < limits_.read_job_keys) {
    const AbsentKey key = wanted_.front();
    wanted_.pop_front();
    const auto found = absent_.find(key);
    if (found->second.pin < oldest_pin()) {
      absent_.erase(found);  // nobody waits any more
      continue;
    }
    found->second.state = AbsentState::kReading;
    job.keys.push_back(EncodeRowKey(key.table->id(), key.key));
    keys.push_back(key);
  }
  if (keys.empty()) return std::nullopt;
  job.id = ++jobs_;
  misses_ += keys.size();
  under_way_.emplace(job.id, std::move(keys));
  return job;
}

void Residency::Done(const ReadOutcome& outcome, std::vector<Arrival>* arrivals) {
  const auto job = under_way_.extract(outcome.id);
  CHECK(!job.empty()) << "read job " << outcome.id;
  const std::vector<AbsentKey>& keys = job.mapped();
  if (outcome.status.ok()) CHECK_EQ(outcome.values.size(), keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    Settle(keys[i], outcome.status.ok() ? &outcome.values[i] : nullptr, outcome.status, arrivals);
  }
}

void Residency::Settle(const AbsentKey& key, const std::optional<std::string>* value,
                       absl::Status status, std::vector<Arrival>* arrivals) {
  const auto found = absent_.find(key);
  CHECK(found != absent_.end() && found->second.state == AbsentState::kReading);
  bool is_row = false;
  if (value != nullptr && value->has_value()) {
    const absl::StatusOr<bool> taken = TakeIn(key, **value);
    status = taken.status();
    is_row = taken.ok() && *taken;
  }
  TellWaiters(&found->second, status, arrivals);
  found->second.state = status.ok() ? AbsentState::kOnNoDisk : AbsentState::kFailed;
  if (is_row || found->second.pin < oldest_pin()) absent_.erase(found);
}

// False where the stored row is of a generation that is gone. The row has not been touched: a pull
// that asked for it once leaves it to the hand, and what is asked for again stays.
absl::StatusOr<bool> Residency::TakeIn(const AbsentKey& key, const std::string& value) {
  ASSIGN_OR_RETURN(const Generation generation, RowGeneration(value));
  if (generation != key.table->generation()) return false;
  std::byte* const row = key.table->Insert(key.key);
  if (absl::Status status = DecodeRow(value, key.table->layout(), row); !status.ok()) {
    key.table->Erase(row);
    return status;
  }
  Stamp(RowLayout::Header(row));
  return true;
}

uint64_t Residency::used_bytes() const { return absent_.size() * kAbsentBytes; }

}  // namespace rowhouse

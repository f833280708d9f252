// Everything that can be wrong with a pull or push whose tables are known, found before anything is
// logged or changed.
//
// Threading: one shard, one thread; the duplicate finder keeps scratch memory between calls.
// Cost: one pass over keys and one over gradients.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "common/slot_map.h"
#include "common/types.h"
#include "common/wire/data.h"
#include "storage/table_rows.h"

namespace rowhouse {

// Every key lives on `shard`. Errors: kWrongShard, naming table and key.
absl::Status CheckOwned(const TableRows& table, std::span<const Key> keys, const SlotMap& map,
                        ShardId shard);

// Every element is finite and within gradient_abs_max. Errors: kBadGradient, naming table, key and
// element.
absl::Status CheckGradients(const TableRows& table, const PushSection& section);

// Finds repeated keys with a hash table of 4 bytes an entry, cleared each time.
class DuplicateFinder {
 public:
  // Errors: kDuplicateKey, naming table and key.
  absl::Status Check(const TableRows& table, std::span<const Key> keys);

 private:
  // A power of two of them. An entry has a position and 1 in as many low bits as
  // number the entries, bits of the key's fingerprint above; 0 is free.
  std::vector<uint32_t> entries_;
};

}  // namespace rowhouse

// The fingerprint of a (table, key) pair: where a row lives follows from it alone.
#pragma once

#include <cstdint>

#include "common/types.h"

namespace rowhouse {

// A bijection of 64-bit words in which every input bit reaches every output bit.
// Source: the finalizer of MurmurHash3 with the constants of "Mix13" (D. Stafford), as used by
// SplitMix64.
constexpr uint64_t Mix64(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

// Within one table no two keys share a fingerprint.
constexpr uint64_t Fingerprint(TableId table, Key key) {
  return Mix64((key.value() + 0x9E3779B97F4A7C15ull) ^ table.value());
}

}  // namespace rowhouse

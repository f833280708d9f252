// The best plain table that we can write for one purpose: rows of weights and Adagrad state, found
// by key. No headers, no LSN, no log, no growth, no absent keys: what one core could do without all
// that a parameter server is for.
//
// Threading: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/types.h"
#include "storage/huge_pages.h"

namespace rowhouse {

class BareTable {
 public:
  // A row for each key, with weights of 0.1. keys: unique.
  BareTable(std::span<const Key> keys, uint32_t dim);
  BareTable(const BareTable&) = delete;
  BareTable& operator=(const BareTable&) = delete;

  // out: [n, dim]. REQUIRES: every key has a row.
  void Gather(std::span<const Key> keys, float* out) const;
  // gradients: [n, dim]. Element-wise Adagrad, exact.
  void Update(std::span<const Key> keys, const float* gradients);

 private:
  struct Entry {
    uint64_t key;
    uint32_t row;
    uint32_t used;
  };

  size_t HomeOf(Key key) const { return (key.value() * kMix) >> shift_; }
  float* RowOf(Key key) const;
  template <typename Use>
  void ForEach(std::span<const Key> keys, size_t row_bytes, const Use& use) const;

  static constexpr uint64_t kMix = 0x9e3779b97f4a7c15;

  const uint32_t dim_;
  const size_t row_floats_;
  size_t entry_count_;
  int shift_;
  MappedBytes entry_memory_;
  MappedBytes row_memory_;
  Entry* entries_;
  float* rows_;
};

}  // namespace rowhouse

// What the bench pulls and pushes, and what the rows must be then.
//
// All keys in one random order, cut into batches: each row belongs to one batch, so the number of
// pushes of its batch says what it holds.
//
// Threading: constant after construction, but for NotePush.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "common/table_spec.h"
#include "common/types.h"

namespace rowhouse {

class BatchPlan {
 public:
  // `rows` is rounded down to whole batches, of which there is at least one.
  BatchPlan(uint64_t rows, uint32_t batch_rows, uint32_t dim);
  // The batches as they are: a key may come in several of them, for a RowModel in one only.
  // keys: [n, batch_rows], n > 0, unique within a batch.
  BatchPlan(std::vector<Key> keys, uint32_t batch_rows, uint32_t dim);

  size_t batch_count() const { return keys_.size() / batch_rows_; }
  uint32_t batch_rows() const { return batch_rows_; }
  uint32_t dim() const { return dim_; }
  size_t batch_floats() const { return size_t{batch_rows_} * dim_; }
  // [batch_rows], unique.
  std::span<const Key> keys(size_t batch) const {
    return std::span(keys_).subspan(batch * batch_rows_, batch_rows_);
  }
  // Of all batches, one after another.
  std::span<const Key> all_keys() const { return keys_; }
  // Each key of the batches once, in an order that says nothing of theirs: a table that is made in
  // it has the rows of a batch all over its memory.
  std::vector<Key> KeysInOrder() const;
  // [batch_rows, dim], the same for every batch.
  std::span<const float> gradients() const { return gradients_; }

 private:
  uint32_t batch_rows_;
  uint32_t dim_;
  std::vector<Key> keys_;
  std::vector<float> gradients_;
};

class RowModel {
 public:
  // `plan` outlives the model. The table's lr_decay and weight_decay are 0.
  RowModel(TableSpec spec, const BatchPlan* plan)
      : spec_(std::move(spec)), plan_(plan), pushes_(plan->batch_count()) {}

  const TableSpec& spec() const { return spec_; }
  void NotePush(size_t batch) { ++pushes_[batch]; }

  // Compares every `stride`-th of the rows of a batch, bit by bit. rows: [batch_rows, dim].
  // Errors: names table, key and column of the first difference.
  absl::Status Check(size_t batch, std::span<const float> rows, size_t stride) const;

 private:
  // The row at `position` of the batch, pushes included. out: [dim].
  void Expect(size_t batch, size_t position, std::span<float> out) const;

  TableSpec spec_;
  const BatchPlan* plan_;
  std::vector<uint64_t> pushes_;  // by batch
};

}  // namespace rowhouse

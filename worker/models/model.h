// What the training loop needs of a model: its tables, the rows that a batch of examples needs from
// them, and the gradients for those rows.
//
// A model holds its examples and knows them by index; it does no I/O and keeps no weights.
//
// Threading: const methods may run at once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/table_spec.h"
#include "common/types.h"

namespace rowhouse {

// One batch's share of one table.
struct TableBatch {
  std::vector<Key> keys;         // [n], unique, in order of appearance
  std::vector<float> rows;       // [n, dim], pulled
  std::vector<float> gradients;  // [n, dim], summed over the batch
};

struct Batch {
  std::vector<uint32_t> examples;           // [m]
  std::vector<TableBatch> tables;           // one for each table of the model
  std::vector<std::vector<uint32_t>> uses;  // the model's own: [m] row numbers, per kind of key
};

class Model {
 public:
  virtual ~Model() = default;

  virtual std::vector<TableSpec> Tables() const = 0;
  virtual uint32_t example_count() const = 0;

  // Makes `batch`, whatever it held, ask for the rows of these examples: keys are filled, rows and
  // gradients sized.
  virtual void Prepare(std::span<const uint32_t> examples, Batch* batch) const = 0;

  // Fills the gradients from the rows. Returns the loss, summed over the batch.
  virtual double Gradients(Batch* batch) const = 0;
};

}  // namespace rowhouse

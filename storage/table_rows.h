// The memory tier of one table on one shard: an open-addressing index over slabs of rows.
//
//   std::vector<std::byte*> rows(keys.size());
//   table.Find(keys, rows);            // absent keys give nullptr; nothing is written
//   table.FindOrCreate(keys, rows);    // absent keys become rows with their initial values
//
// Row pointers stay valid until the row is erased, or Compact moves it: slabs never move.
//
// Threading: one shard, one thread.
// Cost: one pass over the keys, buckets and rows asked for a few keys ahead; no insertion moves
//   more than one part of the index (a few thousand entries).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "absl/functional/function_ref.h"
#include "common/table_spec.h"
#include "common/types.h"
#include "storage/huge_pages.h"
#include "storage/row_layout.h"

namespace rowhouse {

class RowIndex;
class RowSlabs;

class TableRows {
 public:
  // `spec` is validated. State floats follow from the optimizer: Adagrad has dim of them.
  TableRows(TableSpec spec, Generation generation);
  ~TableRows();
  TableRows(const TableRows&) = delete;
  TableRows& operator=(const TableRows&) = delete;

  const TableSpec& spec() const { return spec_; }
  TableId id() const { return id_; }
  Generation generation() const { return generation_; }
  const RowLayout& layout() const { return layout_; }
  uint64_t row_count() const;
  // Memory taken by slabs and index together.
  uint64_t resident_bytes() const;
  // The same without the rows that are free: what is in use.
  uint64_t used_bytes() const;
  // What slabs and index take: as it is, and as it would be after Compact. In between lie the rows
  // that are free.
  uint64_t held_bytes() const;
  uint64_t compact_bytes() const;

  // rows: [n], one per key. Keys may repeat in Find.
  void Find(std::span<const Key> keys, std::span<std::byte*> rows) const;
  // keys: [n], unique. New rows have lsn 0, their initial weights and initial accumulators.
  void FindOrCreate(std::span<const Key> keys, std::span<std::byte*> rows);

  // FindOrCreate piece by piece: `use` gets the rows of the keys from position `first` on, in
  // order, at hand in the cache.
  using UseRows = absl::FunctionRef<void(size_t first, std::span<std::byte*> rows)>;
  void FindOrCreateInPieces(std::span<const Key> keys, UseRows use);

  // Memory that the table will soon grow into, where it is time for another thread to find its
  // pages; otherwise nothing. It counts in held_bytes; Compact gives that of rows back.
  Mapping MapAhead();

  // A new row for a key that is absent: lsn 0, no flags, weights and state not set.
  std::byte* Insert(Key key);
  // The row's memory is used again for a later one. `row`: as found; not dirty.
  void Erase(std::byte* row);
  // Moves rows from the end into free ones and gives memory back to the system: `bytes_wanted`, or
  // what looking at `rows_max` rows gives. Without `move_dirty` it ends at a dirty row.
  // Returns how many rows it has looked at.
  uint64_t Compact(uint64_t bytes_wanted, uint64_t rows_max, bool move_dirty);

  // Rows with kRowDirty, as told by those who set and clear it.
  uint64_t dirty_rows() const { return dirty_rows_; }
  void CountDirty(int64_t change) { dirty_rows_ += static_cast<uint64_t>(change); }
  // Rows that come back from the disk tier, clean. values: lsn, weights and state of each key, one
  // after another (row_layout.h, PutLoadValue). keys: unique; one that has a row already keeps it.
  void Load(std::span<const Key> keys, std::span<const std::byte> values);

  // out: [n, dim]. Absent keys give their initial weights; nothing is created. `gathered` is told
  // of each part of `out` in turn when it has been filled, some KB at a time: they are in the first
  // cache still, and whatever reads them does so while the next rows are on their way from memory.
  using UseFloats = absl::FunctionRef<void(std::span<const float> part)>;
  void Gather(std::span<const Key> keys, float* out, UseFloats gathered) const;

  // Every row, in the order of row numbers (the order of creation where nothing was erased).
  // `first`: row number to start at; stops after `rows_max` row numbers, some of which may be free;
  // returns the next row number, or row_number_end() when through. `visit` may erase the row.
  uint64_t Visit(uint64_t first, uint64_t rows_max,
                 const std::function<void(std::byte* row)>& visit);
  uint64_t row_number_end() const;

 private:
  // Of a row that the index has just made.
  void SetInitialValues(Key key, std::byte* row) const;

  TableSpec spec_;
  TableId id_;
  Generation generation_;
  RowLayout layout_;
  std::unique_ptr<RowSlabs> slabs_;
  std::unique_ptr<RowIndex> index_;
  uint64_t dirty_rows_ = 0;
};

}  // namespace rowhouse

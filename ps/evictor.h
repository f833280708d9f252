// The second-chance hand: goes round all rows and lets go of those that nobody has touched since it
// last came by.
//
// Only clean rows go, and only when the disk has them: not one that a request has pinned, nor one
// in a file of a flush that is still under way. The slot of a row that goes is complete no longer.
//
// Rows that went leave free ones among those that stayed; where another table needs the memory,
// rows are moved together (Compact).
//
// Threading: one shard, one thread.
// Cost: a look at a row is one cache line; letting it go touches the index once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ps/residency.h"
#include "ps/table_set.h"

namespace rowhouse {

class Evictor {
 public:
  Evictor(const TableSet* tables, Residency* residency) : tables_(tables), residency_(residency) {}

  // Looks at up to about `rows_max` rows and lets rows of `bytes_wanted` or a little more go.
  // `file`: of the flush that is under way (Flusher::file_mark), 0 for none.
  void Run(uint64_t bytes_wanted, uint64_t rows_max, uint32_t file);

  // Moves rows together, up to `rows_max` of them, until tables hold `bytes_wanted` less or have no
  // free rows left. Dirty rows stay where they are without `move_dirty`: a flush that is under way
  // knows them by their addresses. True where only `rows_max` has ended it.
  bool Compact(uint64_t bytes_wanted, uint64_t rows_max, bool move_dirty);

  // A whole round has found nothing to let go: only an event that frees rows can help.
  bool exhausted() const;
  // There may be rows to let go again.
  void Renew() { fruitless_ = 0; }

  uint64_t evicted() const { return evicted_; }  // ever

 private:
  uint64_t RowsInAll() const;
  void NextTable();
  // Bytes that it gave back.
  uint64_t Look(TableRows& table, std::byte* row, uint32_t file);

  const TableSet* const tables_;
  Residency* const residency_;
  size_t table_ = 0;  // where the hand is
  uint64_t row_ = 0;
  uint64_t fruitless_ = 0;  // rows looked at since one went or was told that it will
  uint64_t evicted_ = 0;
};

}  // namespace rowhouse

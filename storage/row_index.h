// Where a table's rows are: from key to row number. Open addressing; the keys stand in the rows.
//
// The index consists of parts, chosen by the low bits of a key's fingerprint through a directory
// (extendible hashing): a part that is full becomes two, so no insertion moves more than the 5,000
// entries of one part (but where keys were chosen so that their fingerprints agree: such a part
// grows as a whole). Within a part an entry's home is a bucket of one cache line, chosen by
// middle bits; the top bits, which say what shard owns the key, decide nothing here. A bucket has
// twelve entries of a row number and a tag byte, so that rows of other keys are hardly ever read.
// Where a bucket is full, an entry lies in one behind it, and each bucket that it passed over
// counts it: a search goes on only where something passed, and an erased entry leaves nothing
// behind.
//
// Threading: one shard, one thread.
// Cost: about 9 bytes a row; a part gives half of its buckets up when few are left of its entries.
//   A batch touches the bucket and the row of each key once, both prefetched. Splitting a part
//   reads its rows' keys: 0.1 to 1 ms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/types.h"
#include "storage/index_memory.h"
#include "storage/row_slabs.h"

namespace rowhouse {

class RowIndex {
 public:
  // Keys are looked for in the rows of `slabs`, which begin with a RowHeader.
  RowIndex(TableId table, RowSlabs* slabs);
  ~RowIndex();
  RowIndex(const RowIndex&) = delete;
  RowIndex& operator=(const RowIndex&) = delete;

  // rows: [n], one per key; nullptr where the key is absent. Keys may repeat.
  void Find(std::span<const Key> keys, std::span<std::byte*> rows) const;
  // Takes a new row for each absent key and writes the key into it. Keys may repeat.
  // created: the positions in `keys` that got a new row, appended.
  void FindOrInsert(std::span<const Key> keys, std::span<std::byte*> rows,
                    std::vector<uint32_t>& created);
  // The same piece by piece, for work on the rows themselves: `use` gets the rows of the keys from
  // position `first` on, in order. Meanwhile the first `row_bytes` bytes of the next rows are on
  // their way to the cache. `use` must not change the index.
  using UseRows = absl::FunctionRef<void(size_t first, std::span<std::byte*> rows)>;
  void FindInPieces(std::span<const Key> keys, size_t row_bytes, UseRows use) const;
  // `created` has the positions of the piece that is used.
  void FindOrInsertInPieces(std::span<const Key> keys, size_t row_bytes,
                            std::vector<uint32_t>& created, UseRows use);
  // Takes a new row for `key` and writes the key into it. REQUIRES: the key is absent.
  std::byte* Insert(Key key);
  // Gives the row of `key` back to the slabs and returns it. REQUIRES: the key is present.
  std::byte* Erase(Key key);
  // The row of `key` has moved: it has this number now. REQUIRES: the key is present, and both rows
  // still bear it.
  void Renumber(Key key, uint32_t number);

  // As IndexMemory.
  Mapping MapAhead() { return memory_.MapAhead(); }

  uint64_t resident_bytes() const;

 private:
  struct Bucket;
  struct Part;
  struct Place;
  // Where look-ups read it; the part's own `buckets` and `mask`.
  struct DirectoryEntry {
    Bucket* buckets;
    Part* part;
    uint32_t mask;
  };

  const DirectoryEntry& EntryOf(uint64_t fingerprint) const {
    return directory_[fingerprint & (directory_.size() - 1)];
  }
  void SetEntries(uint64_t fingerprint, Part& part);
  Part& PartOf(uint64_t fingerprint) const;
  struct Candidate;
  void PrefetchHome(Key key, Candidate& candidate) const;
  void PrefetchRow(size_t lines, Candidate& candidate) const;
  // `look(fingerprint, key, position)` gives the row.
  template <typename Look, typename Use>
  void InPieces(std::span<const Key> keys, size_t row_bytes, const Look& look,
                const Use& use) const;
  Place Locate(uint64_t fingerprint, Key key) const;
  std::byte* FindOne(uint64_t fingerprint, Key key) const;
  std::byte* Insert(uint64_t fingerprint, Key key);
  void MakeRoom(uint64_t fingerprint);
  bool MaySplit(const Part& part) const;
  void ShrinkIfSparse(uint64_t fingerprint);
  void Rebuild(uint64_t fingerprint, uint32_t bucket_count);
  void Split(uint64_t fingerprint);
  // Calls `take(fingerprint, row number)` for every entry of `part`, rows prefetched.
  template <typename Take>
  void ForEach(const Part& part, Take take) const;

  const TableId table_;
  RowSlabs* const slabs_;
  IndexMemory memory_;  // of the parts' buckets
  std::vector<std::unique_ptr<Part>> parts_;
  std::vector<DirectoryEntry> directory_;  // [2^bits], by the low bits of the fingerprint
  uint64_t moves_ = 0;                     // how often a part got other buckets
};

}  // namespace rowhouse

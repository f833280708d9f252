// Entries on their way to the disk tier, in large pieces of memory: a row that is flushed costs no
// allocation of its own.
//
// Ownership: what Sorted returns points into the buffer, until Clear or Release.
// Threading: one user at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "storage/disk_tier.h"

namespace rowhouse {

class EntryBuffer {
 public:
  struct Slot {
    char* key;
    char* value;
  };
  // Room for one entry, to be filled by the caller.
  Slot Add(uint32_t key_bytes, uint32_t value_bytes);
  void Add(std::string_view key, std::string_view value);

  size_t entry_count() const { return places_.size(); }
  bool empty() const { return places_.empty(); }

  // By key bytes.
  std::vector<DiskEntryView> Sorted() const;

  // Forgets the entries and keeps the memory.
  void Clear();
  // Forgets both.
  void Release() { *this = EntryBuffer(); }

 private:
  struct Piece {
    std::unique_ptr<char[]> memory;
    size_t bytes = 0;
  };
  struct Place {
    char* key;
    uint32_t key_bytes;
    uint32_t value_bytes;
  };

  char* Allocate(size_t bytes);

  std::vector<Piece> pieces_;
  size_t piece_ = 0;  // the one that is being filled
  size_t used_ = 0;   // of it
  std::vector<Place> places_;
};

}  // namespace rowhouse

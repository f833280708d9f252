#include "storage/row_index.h"

#include <emmintrin.h>
#include <glog/logging.h>

#include <algorithm>
#include <array>
#include <bit>

#include "common/fingerprint.h"
#include "storage/prefetch.h"
#include "storage/row_layout.h"

namespace rowhouse {
namespace {

constexpr uint32_t kEntriesPerBucket = 12;
constexpr uint32_t kBucketsMax = 512;
constexpr size_t kDirectoryEntriesPerPartMax = 16;  // 2 to 4 where fingerprints are even
// Three pieces are under way at a time: the buckets of one, the rows of the next, and the one whose
// rows are used. They are asked into the second-level cache: of the first, a core waits for 10 to
// 16 lines at a time, which bounds it where memory is far (250 ns a line on a Xeon: rows of dim 64
// updated in 150 ns each, and in 120 so). Pieces of 8 and of 32 keys were 5 % slower there, and 4
// keys 10 %: what is done with a row must not come between the requests for too many others.
constexpr size_t kPieceKeys = 16;
constexpr size_t kPrefetchBytesMax = 1024;  // of a row; beyond it the hardware has seen the pattern
constexpr size_t kLineBytes = 64;
constexpr uint32_t kNoEntry = kEntriesPerBucket;
constexpr uint8_t kPassedMax = 255;

// Fewer than 2^24 parts, so that these bits never choose the part too.
constexpr int kHomeBit = 24;
constexpr int kTagBit = 40;

// 0 marks a free entry.
uint8_t TagOf(uint64_t fingerprint) {
  return static_cast<uint8_t>(std::max<uint32_t>(1, (fingerprint >> kTagBit) & 0xff));
}

uint32_t HomeOf(uint64_t fingerprint) { return static_cast<uint32_t>(fingerprint >> kHomeBit); }

// Lines that rows of `bytes` may lie in. Where cells are padded to 32, rows begin at 8 or 40 bytes
// of a line (row_layout.h), else at any multiple of 8.
size_t LinesOf(size_t bytes, size_t stride_bytes) {
  const size_t offset_max = stride_bytes % 32 == 0 ? 40 : 56;
  return (offset_max + bytes + kLineBytes - 1) / kLineBytes;
}

ROWHOUSE_PREFETCHES void PrefetchLines(const std::byte* row, size_t lines) {
  for (; lines >= 4; lines -= 4, row += 4 * kLineBytes) {
    __builtin_prefetch(row, 0, 2);
    __builtin_prefetch(row + kLineBytes, 0, 2);
    __builtin_prefetch(row + 2 * kLineBytes, 0, 2);
    __builtin_prefetch(row + 3 * kLineBytes, 0, 2);
  }
  for (; lines > 0; --lines, row += kLineBytes) __builtin_prefetch(row, 0, 2);
}

}  // namespace

struct alignas(64) RowIndex::Bucket {
  std::array<uint8_t, 16> tags;  // the last four belong to no entry; of them one counts
  std::array<uint32_t, kEntriesPerBucket> numbers;

  // Bit i is set where entry i has this tag.
  uint32_t Matches(uint8_t tag) const {
    const __m128i all = _mm_load_si128(reinterpret_cast<const __m128i*>(tags.data()));
    const __m128i equal = _mm_cmpeq_epi8(all, _mm_set1_epi8(static_cast<char>(tag)));
    return static_cast<uint32_t>(_mm_movemask_epi8(equal)) & ((1u << kEntriesPerBucket) - 1);
  }
  uint32_t FirstFree() const {
    const uint32_t free = Matches(0);
    return free == 0 ? kNoEntry : static_cast<uint32_t>(std::countr_zero(free));
  }

  // Entries that found this bucket full and lie behind it. A counter that has reached its end stays
  // there, which costs searches a bucket more and loses nothing.
  uint8_t passed() const { return tags[kEntriesPerBucket]; }
  void AddPassed() { tags[kEntriesPerBucket] += passed() != kPassedMax; }
  void RemovePassed() { tags[kEntriesPerBucket] -= passed() != kPassedMax; }
};

// Where an entry is; no bucket where there is none.
struct RowIndex::Place {
  Part* part = nullptr;
  Bucket* bucket = nullptr;
  uint32_t entry = 0;
};

struct RowIndex::Part {
  Part(IndexMemory* memory, uint32_t bucket_count, uint32_t bits)
      : buckets(reinterpret_cast<Bucket*>(memory->Allocate(bucket_count * sizeof(Bucket))),
                FreeBuckets{memory, bucket_count * sizeof(Bucket)}),
        mask(bucket_count - 1),
        bits(bits) {}

  uint32_t bucket_count() const { return mask + 1; }
  // Filled to 13/16, a bucket overflows into its neighbour now and then; chains stay short.
  bool full() const { return count >= uint64_t{bucket_count()} * kEntriesPerBucket * 13 / 16; }
  // Half of the buckets would be half full at most.
  bool sparse() const { return count < uint64_t{bucket_count()} * kEntriesPerBucket * 13 / 64; }

  void Add(uint64_t fingerprint, uint32_t number) {
    uint32_t at = HomeOf(fingerprint) & mask;
    uint32_t entry = buckets[at].FirstFree();
    while (entry == kNoEntry) {
      buckets[at].AddPassed();
      at = (at + 1) & mask;
      entry = buckets[at].FirstFree();
    }
    buckets[at].tags[entry] = TagOf(fingerprint);
    buckets[at].numbers[entry] = number;
    ++count;
  }

  void Remove(uint64_t fingerprint, Bucket* bucket, uint32_t entry) {
    for (uint32_t at = HomeOf(fingerprint) & mask; &buckets[at] != bucket; at = (at + 1) & mask) {
      buckets[at].RemovePassed();
    }
    bucket->tags[entry] = 0;
    --count;
  }

  struct FreeBuckets {
    IndexMemory* memory;
    size_t bytes;
    void operator()(Bucket* buckets) const {
      memory->Free(reinterpret_cast<std::byte*>(buckets), bytes);
    }
  };

  std::unique_ptr<Bucket[], FreeBuckets> buckets;
  uint32_t mask;
  uint32_t bits;  // of the fingerprint that all entries have in common
  uint32_t count = 0;
};

RowIndex::RowIndex(TableId table, RowSlabs* slabs) : table_(table), slabs_(slabs) {
  static_assert(sizeof(Bucket) == 64);
  static_assert(kBucketsMax * sizeof(Bucket) == IndexMemory::kBlockBytes);
  parts_.push_back(std::make_unique<Part>(&memory_, 1, 0));
  directory_.resize(1);
  SetEntries(0, *parts_.front());
}

RowIndex::~RowIndex() = default;

RowIndex::Part& RowIndex::PartOf(uint64_t fingerprint) const { return *EntryOf(fingerprint).part; }

// All entries of the part that `fingerprint` belongs to.
void RowIndex::SetEntries(uint64_t fingerprint, Part& part) {
  const size_t step = size_t{1} << part.bits;
  ++moves_;
  for (size_t i = fingerprint & (step - 1); i < directory_.size(); i += step) {
    directory_[i] = {part.buckets.get(), &part, part.mask};
  }
}

// A key that is looked for.
struct RowIndex::Candidate {
  uint64_t fingerprint;
  const Bucket* home;  // until buckets move
  std::byte* row;      // where its tag stands first; hardly ever another key's; null: nowhere
};

// Every instruction counts in these two: a core sees no more misses at a time than there are in its
// window of some 500 instructions, and those of page tables are among them.
ROWHOUSE_PREFETCHES void RowIndex::PrefetchHome(Key key, Candidate& candidate) const {
  candidate.fingerprint = Fingerprint(table_, key);
  const DirectoryEntry& part = EntryOf(candidate.fingerprint);
  candidate.home = &part.buckets[HomeOf(candidate.fingerprint) & part.mask];
  __builtin_prefetch(candidate.home, 0, 2);
}

ROWHOUSE_PREFETCHES void RowIndex::PrefetchRow(size_t lines, Candidate& candidate) const {
  const uint8_t tag = TagOf(candidate.fingerprint);
  const Bucket* bucket = candidate.home;
  uint32_t matches = bucket->Matches(tag);
  candidate.row = nullptr;
  if (matches == 0) [[unlikely]] {
    if (bucket->passed() == 0) return;
    const DirectoryEntry& part = EntryOf(candidate.fingerprint);
    bucket = &part.buckets[(HomeOf(candidate.fingerprint) + 1) & part.mask];
    matches = bucket->Matches(tag);
    if (matches == 0) return;
  }
  candidate.row = slabs_->Row(bucket->numbers[std::countr_zero(matches)]);
  PrefetchLines(candidate.row, lines);
  // Three keys in a hundred have more than one, or lie in the next bucket: where only the first
  // row was asked for, waits for the others were a sixth of the walk's samples.
  while ((matches &= matches - 1) != 0) {
    PrefetchLines(slabs_->Row(bucket->numbers[std::countr_zero(matches)]), lines);
  }
}

template <typename Look, typename Use>
void RowIndex::InPieces(std::span<const Key> keys, size_t row_bytes, const Look& look,
                        const Use& use) const {
  const size_t lines = LinesOf(std::min(row_bytes, kPrefetchBytesMax), slabs_->stride_bytes());
  std::array<std::array<Candidate, kPieceKeys>, 3> ring;
  std::array<std::byte*, kPieceKeys> rows;
  const size_t pieces = (keys.size() + kPieceKeys - 1) / kPieceKeys;
  const auto keys_of = [&](size_t piece) {
    return keys.subspan(piece * kPieceKeys, std::min(kPieceKeys, keys.size() - piece * kPieceKeys));
  };
  const auto prefetch_homes = [&](size_t piece) {
    Candidate* candidate = ring[piece % 3].data();
    for (const Key key : keys_of(piece)) PrefetchHome(key, *candidate++);
  };
  for (size_t step = 0; step < pieces + 2; ++step) {
    if (step < pieces) prefetch_homes(step);
    if (step >= 1 && step <= pieces) {
      Candidate* const candidates = ring[(step - 1) % 3].data();
      const size_t count = keys_of(step - 1).size();
      for (size_t i = 0; i < count; ++i) PrefetchRow(lines, candidates[i]);
    }
    if (step < 2) continue;
    const uint64_t moves_before = moves_;
    const size_t first = (step - 2) * kPieceKeys;
    const auto piece = keys_of(step - 2);
    const Candidate* const candidates = ring[(step - 2) % 3].data();
    for (size_t i = 0; i < piece.size(); ++i) {
      const Candidate& candidate = candidates[i];
      rows[i] = candidate.row != nullptr && RowLayout::Header(candidate.row).key == piece[i]
                    ? candidate.row
                    : look(candidate.fingerprint, piece[i], first + i);
    }
    use(first, std::span(rows).first(piece.size()));
    if (moves_ != moves_before && step < pieces) prefetch_homes(step);
  }
}

inline RowIndex::Place RowIndex::Locate(uint64_t fingerprint, Key key) const {
  Part& part = PartOf(fingerprint);
  const uint8_t tag = TagOf(fingerprint);
  uint32_t at = HomeOf(fingerprint) & part.mask;
  for (uint32_t seen = 0; seen <= part.mask; ++seen, at = (at + 1) & part.mask) {
    Bucket& bucket = part.buckets[at];
    for (uint32_t matches = bucket.Matches(tag); matches != 0; matches &= matches - 1) {
      const auto entry = static_cast<uint32_t>(std::countr_zero(matches));
      if (RowLayout::Header(slabs_->Row(bucket.numbers[entry])).key == key) {
        return {&part, &bucket, entry};
      }
    }
    if (bucket.passed() == 0) break;
  }
  return {};
}

std::byte* RowIndex::FindOne(uint64_t fingerprint, Key key) const {
  const Place place = Locate(fingerprint, key);
  return place.bucket == nullptr ? nullptr : slabs_->Row(place.bucket->numbers[place.entry]);
}

void RowIndex::FindInPieces(std::span<const Key> keys, size_t row_bytes, UseRows use) const {
  InPieces(
      keys, row_bytes,
      [this](uint64_t fingerprint, Key key, size_t) { return FindOne(fingerprint, key); }, use);
}

void RowIndex::FindOrInsertInPieces(std::span<const Key> keys, size_t row_bytes,
                                    std::vector<uint32_t>& created, UseRows use) {
  const auto find = [&](uint64_t fingerprint, Key key, size_t position) {
    std::byte* row = FindOne(fingerprint, key);
    if (row != nullptr) return row;
    created.push_back(static_cast<uint32_t>(position));
    return Insert(fingerprint, key);
  };
  InPieces(keys, row_bytes, find, [&](size_t first, std::span<std::byte*> rows) {
    use(first, rows);
    created.clear();
  });
}

void RowIndex::Find(std::span<const Key> keys, std::span<std::byte*> rows) const {
  CHECK_EQ(keys.size(), rows.size());
  FindInPieces(keys, sizeof(RowHeader), [&](size_t first, std::span<std::byte*> piece) {
    std::copy(piece.begin(), piece.end(), rows.begin() + static_cast<ptrdiff_t>(first));
  });
}

void RowIndex::FindOrInsert(std::span<const Key> keys, std::span<std::byte*> rows,
                            std::vector<uint32_t>& created) {
  CHECK_EQ(keys.size(), rows.size());
  std::vector<uint32_t> of_piece;
  FindOrInsertInPieces(
      keys, sizeof(RowHeader), of_piece, [&](size_t first, std::span<std::byte*> piece) {
        std::copy(piece.begin(), piece.end(), rows.begin() + static_cast<ptrdiff_t>(first));
        created.insert(created.end(), of_piece.begin(), of_piece.end());
      });
}

std::byte* RowIndex::Insert(Key key) { return Insert(Fingerprint(table_, key), key); }

std::byte* RowIndex::Erase(Key key) {
  const uint64_t fingerprint = Fingerprint(table_, key);
  const Place place = Locate(fingerprint, key);
  CHECK(place.bucket != nullptr) << "no row of key " << key;
  const uint32_t number = place.bucket->numbers[place.entry];
  place.part->Remove(fingerprint, place.bucket, place.entry);
  ShrinkIfSparse(fingerprint);
  slabs_->Free(number);
  return slabs_->Row(number);
}

void RowIndex::Renumber(Key key, uint32_t number) {
  const Place place = Locate(Fingerprint(table_, key), key);
  CHECK(place.bucket != nullptr) << "no row of key " << key;
  place.bucket->numbers[place.entry] = number;
}

std::byte* RowIndex::Insert(uint64_t fingerprint, Key key) {
  MakeRoom(fingerprint);
  const uint32_t number = slabs_->Allocate();
  std::byte* const row = slabs_->Row(number);
  RowLayout::Header(row).key = key;
  PartOf(fingerprint).Add(fingerprint, number);
  return row;
}

// Once may not be enough: all entries of a split part can have gone to the same half.
void RowIndex::MakeRoom(uint64_t fingerprint) {
  while (PartOf(fingerprint).full()) {
    Part& part = PartOf(fingerprint);
    if (part.bucket_count() >= kBucketsMax && MaySplit(part)) {
      Split(fingerprint);
    } else {
      Rebuild(fingerprint, 2 * part.bucket_count());
    }
  }
}

// No where keys were chosen so that their fingerprints agree: such a part grows on as a whole,
// which is slower, rather than blowing up the directory.
bool RowIndex::MaySplit(const Part& part) const {
  if (part.bits >= kHomeBit) return false;
  return directory_.size() > size_t{1} << part.bits ||
         directory_.size() <= kDirectoryEntriesPerPartMax * parts_.size();
}

template <typename Take>
void RowIndex::ForEach(const Part& part, Take take) const {
  constexpr uint32_t kAhead = 2;  // buckets
  for (uint32_t at = 0; at < part.bucket_count(); ++at) {
    const Bucket& ahead = part.buckets[std::min(at + kAhead, part.mask)];
    for (uint32_t entry = 0; entry < kEntriesPerBucket; ++entry) {
      if (ahead.tags[entry] != 0) __builtin_prefetch(slabs_->Row(ahead.numbers[entry]));
    }
    const Bucket& bucket = part.buckets[at];
    for (uint32_t entry = 0; entry < kEntriesPerBucket; ++entry) {
      if (bucket.tags[entry] == 0) continue;
      const uint32_t number = bucket.numbers[entry];
      take(Fingerprint(table_, RowLayout::Header(slabs_->Row(number)).key), number);
    }
  }
}

void RowIndex::ShrinkIfSparse(uint64_t fingerprint) {
  const Part& part = PartOf(fingerprint);
  if (part.sparse() && part.bucket_count() > 1) Rebuild(fingerprint, part.bucket_count() / 2);
}

void RowIndex::Rebuild(uint64_t fingerprint, uint32_t bucket_count) {
  Part& part = PartOf(fingerprint);
  Part rebuilt(&memory_, bucket_count, part.bits);
  ForEach(part, [&](uint64_t fingerprint, uint32_t number) { rebuilt.Add(fingerprint, number); });
  part = std::move(rebuilt);
  SetEntries(fingerprint, part);
}

void RowIndex::Split(uint64_t fingerprint) {
  Part& old = PartOf(fingerprint);
  const uint32_t bit = old.bits;
  if (directory_.size() == size_t{1} << bit) {
    const size_t entries = directory_.size();
    directory_.resize(2 * entries);
    std::copy_n(directory_.begin(), entries, directory_.begin() + static_cast<ptrdiff_t>(entries));
  }
  Part low(&memory_, old.bucket_count(), bit + 1);
  auto high = std::make_unique<Part>(&memory_, old.bucket_count(), bit + 1);
  ForEach(old,
          [&](uint64_t f, uint32_t number) { ((f >> bit & 1) == 0 ? low : *high).Add(f, number); });
  const uint64_t high_bit = uint64_t{1} << bit;
  parts_.push_back(std::move(high));
  old = std::move(low);
  SetEntries(fingerprint & ~high_bit, old);
  SetEntries(fingerprint | high_bit, *parts_.back());
}

uint64_t RowIndex::resident_bytes() const {
  return directory_.capacity() * sizeof(DirectoryEntry) + parts_.size() * sizeof(Part) +
         memory_.resident_bytes();
}

}  // namespace rowhouse

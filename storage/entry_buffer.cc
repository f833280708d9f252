#include "storage/entry_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace rowhouse {
namespace {

// A piece that is full is followed by a new one: nothing that was written is ever copied.
constexpr size_t kPieceBytes = size_t{1} << 20;

// The first bytes of a key, as numbers that compare as the bytes do: nearly always they decide.
struct SortKey {
  uint64_t first;
  uint64_t second;
  uint32_t index;
};

uint64_t BigEndianPrefix(std::string_view bytes, size_t offset) {
  uint64_t value = 0;
  if (offset < bytes.size()) {
    std::memcpy(&value, bytes.data() + offset, std::min(sizeof(value), bytes.size() - offset));
  }
  return __builtin_bswap64(value);
}

}  // namespace

char* EntryBuffer::Allocate(size_t bytes) {
  while (piece_ < pieces_.size() && pieces_[piece_].bytes - used_ < bytes) {
    ++piece_;
    used_ = 0;
  }
  if (piece_ == pieces_.size()) {
    const size_t piece_bytes = std::max(bytes, kPieceBytes);
    pieces_.push_back({std::make_unique_for_overwrite<char[]>(piece_bytes), piece_bytes});
  }
  char* const out = pieces_[piece_].memory.get() + used_;
  used_ += bytes;
  return out;
}

EntryBuffer::Slot EntryBuffer::Add(uint32_t key_bytes, uint32_t value_bytes) {
  char* const key = Allocate(size_t{key_bytes} + value_bytes);
  places_.push_back({key, key_bytes, value_bytes});
  return {key, key + key_bytes};
}

void EntryBuffer::Add(std::string_view key, std::string_view value) {
  const Slot slot = Add(static_cast<uint32_t>(key.size()), static_cast<uint32_t>(value.size()));
  std::copy(key.begin(), key.end(), slot.key);
  std::copy(value.begin(), value.end(), slot.value);
}

std::vector<DiskEntryView> EntryBuffer::Sorted() const {
  const auto key_of = [this](uint32_t index) {
    return std::string_view(places_[index].key, places_[index].key_bytes);
  };
  std::vector<SortKey> order;
  order.reserve(places_.size());
  for (uint32_t i = 0; i < places_.size(); ++i) {
    order.push_back({BigEndianPrefix(key_of(i), 0), BigEndianPrefix(key_of(i), 8), i});
  }
  std::sort(order.begin(), order.end(), [&](const SortKey& a, const SortKey& b) {
    if (a.first != b.first) return a.first < b.first;
    if (a.second != b.second) return a.second < b.second;
    return key_of(a.index) < key_of(b.index);
  });
  std::vector<DiskEntryView> entries;
  entries.reserve(order.size());
  for (const SortKey& at : order) {
    const Place& place = places_[at.index];
    entries.push_back({key_of(at.index), {place.key + place.key_bytes, place.value_bytes}});
  }
  return entries;
}

void EntryBuffer::Clear() {
  piece_ = 0;
  used_ = 0;
  places_.clear();
}

}  // namespace rowhouse

#include "storage/table_rows.h"

#include <glog/logging.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "storage/initializer.h"
#include "storage/row_index.h"
#include "storage/row_slabs.h"

namespace rowhouse {
namespace {

constexpr size_t kChunkKeys = 64;
constexpr uint64_t kHeadersAhead = 8;
constexpr ptrdiff_t kPartFloats = 2048;  // 8 KB: a quarter of a small first cache

uint32_t StateFloats(const TableSpec& spec) {
  CHECK(spec.optimizer == OptimizerKind::kAdagrad);
  return spec.dim;
}

}  // namespace

TableRows::TableRows(TableSpec spec, Generation generation)
    : spec_(std::move(spec)),
      id_(TableIdOf(spec_.name)),
      generation_(generation),
      layout_(spec_.dim, StateFloats(spec_)),
      slabs_(std::make_unique<RowSlabs>(layout_.stride_bytes(), layout_.lead_bytes())),
      index_(std::make_unique<RowIndex>(id_, slabs_.get())) {}

TableRows::~TableRows() = default;

uint64_t TableRows::row_count() const { return slabs_->row_count(); }

uint64_t TableRows::resident_bytes() const {
  return slabs_->resident_bytes() + index_->resident_bytes();
}

void TableRows::Find(std::span<const Key> keys, std::span<std::byte*> rows) const {
  index_->Find(keys, rows);
}

void TableRows::FindOrCreate(std::span<const Key> keys, std::span<std::byte*> rows) {
  std::vector<uint32_t> created;
  index_->FindOrInsert(keys, rows, created);
  for (const uint32_t i : created) SetInitialValues(keys[i], rows[i]);
}

void TableRows::FindOrCreateInPieces(std::span<const Key> keys, UseRows use) {
  std::vector<uint32_t> created;
  index_->FindOrInsertInPieces(keys, layout_.row_bytes(), created,
                               [&](size_t first, std::span<std::byte*> rows) {
                                 for (const uint32_t i : created) {
                                   SetInitialValues(keys[i], rows[i - first]);
                                 }
                                 use(first, rows);
                               });
}

void TableRows::SetInitialValues(Key key, std::byte* row) const {
  RowLayout::Header(row) = {key, Lsn(0), generation_, 0};
  InitialWeights(spec_.initializer, spec_.seed, id_, key, {RowLayout::Weights(row), spec_.dim});
  std::fill_n(layout_.State(row), layout_.state_floats(),
              static_cast<float>(spec_.adagrad.initial_accumulator_value));
}

Mapping TableRows::MapAhead() {
  Mapping mapping = slabs_->MapAhead();
  return mapping.memory != nullptr ? mapping : index_->MapAhead();
}

uint64_t TableRows::used_bytes() const {
  return row_count() * layout_.stride_bytes() + index_->resident_bytes();
}

uint64_t TableRows::held_bytes() const { return slabs_->held_bytes() + index_->resident_bytes(); }

uint64_t TableRows::compact_bytes() const {
  return slabs_->BytesOf(slabs_->row_count()) + index_->resident_bytes();
}

std::byte* TableRows::Insert(Key key) {
  std::byte* const row = index_->Insert(key);
  RowLayout::Header(row) = {key, Lsn(0), generation_, 0};
  return row;
}

void TableRows::Erase(std::byte* row) {
  RowHeader& header = RowLayout::Header(row);
  CHECK_EQ(header.flags & kRowDirty, 0u) << "key " << header.key;
  CHECK_EQ(index_->Erase(header.key), row);
  header.flags = kRowFree;
}

uint64_t TableRows::Compact(uint64_t bytes_wanted, uint64_t rows_max, bool move_dirty) {
  const uint64_t held = slabs_->held_bytes();
  const uint64_t held_wanted = held - std::min(held, bytes_wanted);
  uint64_t looked = 0;
  for (; looked < rows_max && slabs_->free_count() > 0 && slabs_->held_bytes() > held_wanted;
       ++looked) {
    const RowHeader& last = RowLayout::Header(slabs_->Row(slabs_->row_number_end() - 1));
    if ((last.flags & kRowFree) != 0) {
      slabs_->PopFree();
    } else if ((last.flags & kRowDirty) != 0 && !move_dirty) {
      break;
    } else {
      index_->Renumber(last.key, slabs_->MoveLast());
    }
  }
  slabs_->Trim();
  return looked;
}

// No initial values: every byte of a new row is written here.
void TableRows::Load(std::span<const Key> keys, std::span<const std::byte> values) {
  const size_t value_bytes = sizeof(Lsn) + layout_.value_bytes();
  CHECK_EQ(values.size(), keys.size() * value_bytes);
  std::array<std::byte*, kChunkKeys> rows;
  std::vector<uint32_t> created;
  created.reserve(kChunkKeys);
  for (size_t first = 0; first < keys.size(); first += kChunkKeys) {
    const auto chunk = keys.subspan(first, std::min(kChunkKeys, keys.size() - first));
    created.clear();
    index_->FindOrInsert(chunk, std::span(rows).first(chunk.size()), created);
    for (const uint32_t i : created) {
      RowLayout::Header(rows[i]) = {chunk[i], Lsn(0), generation_, 0};
      PutLoadValue(values.data() + (first + i) * value_bytes, layout_, rows[i]);
    }
  }
}

void TableRows::Gather(std::span<const Key> keys, float* out, UseFloats gathered) const {
  const size_t weight_bytes = size_t{spec_.dim} * sizeof(float);
  const float* told = out;
  const auto copy = [&](size_t first, std::span<std::byte*> rows) {
    for (size_t i = 0; i < rows.size(); ++i, out += spec_.dim) {
      if (rows[i] != nullptr) {
        std::memcpy(out, RowLayout::Weights(rows[i]), weight_bytes);
      } else {
        InitialWeights(spec_.initializer, spec_.seed, id_, keys[first + i], {out, spec_.dim});
      }
    }
    if (out - told < kPartFloats && first + rows.size() < keys.size()) return;
    gathered({std::exchange(told, out), out});
  };
  index_->FindInPieces(keys, sizeof(RowHeader) + weight_bytes, copy);
}

uint64_t TableRows::Visit(uint64_t first, uint64_t rows_max,
                          const std::function<void(std::byte* row)>& visit) {
  const uint64_t end = row_number_end();
  if (first >= end) return end;
  const uint64_t stop = first + std::min(rows_max, end - first);
  for (uint64_t number = first; number < stop; ++number) {
    __builtin_prefetch(
        slabs_->Row(static_cast<uint32_t>(std::min(number + kHeadersAhead, end - 1))));
    std::byte* const row = slabs_->Row(static_cast<uint32_t>(number));
    if ((RowLayout::Header(row).flags & kRowFree) == 0) visit(row);
  }
  return stop;
}

uint64_t TableRows::row_number_end() const { return slabs_->row_number_end(); }

}  // namespace rowhouse

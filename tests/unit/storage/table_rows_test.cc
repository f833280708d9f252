#include "storage/table_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "storage/initializer.h"

namespace rowhouse {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

TableSpec SpecOf(uint32_t dim) {
  TableSpec spec;
  spec.name = "user";
  spec.dim = dim;
  spec.seed = 42;
  spec.initializer = Initializer::Normal(0, 0.1f);
  spec.adagrad.initial_accumulator_value = 0.25;
  return spec;
}

std::vector<Key> KeysTo(uint64_t n) {
  std::vector<Key> keys;
  for (uint64_t key = 0; key < n; ++key) keys.push_back(Key(key * 977));
  return keys;
}

std::vector<float> Initial(const TableRows& table, Key key) {
  std::vector<float> out(table.spec().dim);
  InitialWeights(table.spec().initializer, table.spec().seed, table.id(), key, out);
  return out;
}

std::vector<std::byte*> Create(TableRows& table, const std::vector<Key>& keys) {
  std::vector<std::byte*> rows(keys.size());
  table.FindOrCreate(keys, rows);
  return rows;
}

std::vector<float> Gather(const TableRows& table, const std::vector<Key>& keys) {
  std::vector<float> out(keys.size() * table.spec().dim, -99.0f);
  table.Gather(keys, out.data(), [](std::span<const float>) {});
  return out;
}

TEST(TableRows, TellsOfEveryPartThatItGathersOnceItIsWhole) {
  for (const uint32_t dim : {1u, 5u, 64u, 3000u}) {
    TableRows table(SpecOf(dim), Generation(3));
    std::vector<Key> keys;
    for (uint64_t i = 0; i < 1000; ++i) keys.push_back(Key(i));
    Create(table, {Key(8), Key(500)});
    const std::vector<float> expected = Gather(table, keys);

    std::vector<float> out(keys.size() * dim, -99.0f);
    std::vector<float> told;
    size_t parts = 0;
    table.Gather(keys, out.data(), [&](std::span<const float> part) {
      EXPECT_EQ(part.data(), out.data() + told.size());
      told.insert(told.end(), part.begin(), part.end());
      ++parts;
    });
    EXPECT_EQ(told, expected) << dim;
    EXPECT_LE(parts, 1 + out.size() / 2048) << dim;
  }
}

TEST(TableRows, NewRowHasItsInitialWeightsAndAccumulators) {
  TableRows table(SpecOf(5), Generation(3));
  std::byte* const row = Create(table, {Key(8)})[0];
  const RowHeader& header = RowLayout::Header(row);
  EXPECT_EQ(header.key, Key(8));
  EXPECT_EQ(header.lsn, Lsn(0));
  EXPECT_EQ(header.generation, Generation(3));
  EXPECT_EQ(header.flags, 0u);
  const float* const weights = RowLayout::Weights(row);
  EXPECT_EQ(std::vector<float>(weights, weights + 5), Initial(table, Key(8)));
  const float* const state = table.layout().State(row);
  EXPECT_THAT(std::vector<float>(state, state + 5), Each(0.25f));
}

TEST(TableRows, GatherOfAbsentRowsCreatesNothing) {
  TableRows table(SpecOf(3), Generation(1));
  const auto keys = KeysTo(1000);
  const uint64_t bytes_before = table.resident_bytes();
  const auto out = Gather(table, keys);
  EXPECT_EQ(table.row_count(), 0u);
  EXPECT_EQ(table.resident_bytes(), bytes_before);
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(std::vector<float>(out.begin() + i * 3, out.begin() + i * 3 + 3),
              Initial(table, keys[i]));
  }
}

TEST(TableRows, FindOfAbsentRowsCreatesNothing) {
  TableRows table(SpecOf(3), Generation(1));
  std::vector<std::byte*> rows(2);
  table.Find(std::vector<Key>{Key(1), Key(1)}, rows);
  EXPECT_THAT(rows, Each(nullptr));
  EXPECT_EQ(table.row_count(), 0u);
}

TEST(TableRows, GatherMixesPresentAndAbsentRowsAtEveryBatchSize) {
  for (const uint32_t dim : {1u, 2u, 64u, 300u}) {
    TableRows table(SpecOf(dim), Generation(1));
    const auto keys = KeysTo(200);
    for (size_t i = 0; i < keys.size(); i += 3) {
      float* const weights = RowLayout::Weights(Create(table, {keys[i]})[0]);
      std::fill_n(weights, dim, static_cast<float>(i));
    }
    for (size_t n = 0; n <= keys.size(); n += 1 + n / 4) {
      const auto out = Gather(table, {keys.begin(), keys.begin() + n});
      for (size_t i = 0; i < n; ++i) {
        const std::vector<float> got(out.begin() + i * dim, out.begin() + (i + 1) * dim);
        const auto expected =
            i % 3 == 0 ? std::vector<float>(dim, static_cast<float>(i)) : Initial(table, keys[i]);
        ASSERT_EQ(got, expected) << dim << " " << n << " " << i;
      }
    }
  }
}

TEST(TableRows, FindOrCreateReturnsTheSameRowsAgain) {
  TableRows table(SpecOf(4), Generation(1));
  const auto keys = KeysTo(100000);
  const auto rows = Create(table, keys);
  RowLayout::Weights(rows[5])[0] = 1234.0f;
  EXPECT_EQ(Create(table, keys), rows);
  EXPECT_EQ(table.row_count(), keys.size());
  EXPECT_EQ(RowLayout::Weights(rows[5])[0], 1234.0f);
  std::vector<std::byte*> found(keys.size());
  table.Find(keys, found);
  EXPECT_EQ(found, rows);
}

TEST(TableRows, VisitGoesThroughAllRowsInPieces) {
  TableRows table(SpecOf(1), Generation(1));
  const auto keys = KeysTo(1000);
  Create(table, keys);
  std::vector<Key> visited;
  uint64_t next = 0;
  int calls = 0;
  while (next != table.row_number_end()) {
    next = table.Visit(next, 7,
                       [&](std::byte* row) { visited.push_back(RowLayout::Header(row).key); });
    ++calls;
  }
  EXPECT_EQ(visited, keys);
  EXPECT_EQ(calls, 143);
  EXPECT_EQ(table.Visit(2000, 7, [](std::byte*) { FAIL(); }), table.row_number_end());
  EXPECT_EQ(table.Visit(0, ~0ull, [](std::byte*) {}), 1000u);
}

TEST(TableRows, ErasedRowsAreGoneAndTheirMemoryIsUsedAgain) {
  TableRows table(SpecOf(4), Generation(2));
  const auto keys = KeysTo(1000);
  const auto rows = Create(table, keys);
  const uint64_t resident = table.resident_bytes();
  const uint64_t used = table.used_bytes();
  for (size_t i = 0; i < rows.size(); i += 2) table.Erase(rows[i]);
  EXPECT_EQ(table.row_count(), 500u);
  EXPECT_EQ(table.used_bytes(), used - 500 * table.layout().stride_bytes());
  std::vector<Key> visited;
  table.Visit(0, ~0ull, [&](std::byte* row) { visited.push_back(RowLayout::Header(row).key); });
  std::vector<Key> kept;
  for (size_t i = 1; i < keys.size(); i += 2) kept.push_back(keys[i]);
  EXPECT_EQ(visited, kept);
  EXPECT_EQ(Gather(table, {keys[0]}), Initial(table, keys[0]));

  const auto again = Create(table, keys);
  EXPECT_EQ(table.row_number_end(), 1000u);
  EXPECT_EQ(table.resident_bytes(), resident);
  for (size_t i = 0; i < keys.size(); i += 2) {
    const RowHeader& header = RowLayout::Header(again[i]);
    ASSERT_EQ(header.key, keys[i]);
    ASSERT_EQ(header.flags, 0u);
    ASSERT_EQ(header.generation, Generation(2));
    const float* const weights = RowLayout::Weights(again[i]);
    ASSERT_EQ(std::vector<float>(weights, weights + 4), Initial(table, keys[i]));
    const float* const state = table.layout().State(again[i]);
    ASSERT_THAT(std::vector<float>(state, state + 4), Each(0.25f));
  }
}

TEST(TableRows, AVisitorMayEraseTheRowThatItVisits) {
  TableRows table(SpecOf(1), Generation(1));
  Create(table, KeysTo(100));
  table.Visit(0, ~0ull, [&](std::byte* row) { table.Erase(row); });
  EXPECT_EQ(table.row_count(), 0u);
}

constexpr uint32_t kWideRows = 20000;  // of dim 64: three slabs

std::vector<Key> KeysOf(TableRows& table) {
  std::vector<Key> keys;
  table.Visit(0, ~0ull, [&](std::byte* row) { keys.push_back(RowLayout::Header(row).key); });
  std::sort(keys.begin(), keys.end());
  return keys;
}

TEST(TableRows, CompactGivesBackWhatErasedRowsTook) {
  TableRows table(SpecOf(64), Generation(1));
  const auto keys = KeysTo(kWideRows);
  const auto rows = Create(table, keys);
  std::vector<Key> kept;
  for (size_t i = 0; i < keys.size(); ++i) {
    RowLayout::Weights(rows[i])[0] = static_cast<float>(i);
    if (i % 5 == 0) kept.push_back(keys[i]);
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i % 5 != 0) table.Erase(rows[i]);
  }
  EXPECT_GT(table.held_bytes(), kWideRows * table.layout().stride_bytes());
  const uint64_t compact = table.compact_bytes();
  EXPECT_LE(compact, table.used_bytes() + (uint64_t{2} << 20));
  EXPECT_EQ(table.Compact(~0ull, 100, true), 100u);
  EXPECT_GT(table.held_bytes(), compact);
  table.Compact(~0ull, ~0ull, true);
  EXPECT_EQ(table.held_bytes(), compact);
  EXPECT_LE(table.resident_bytes(), compact + 4096);
  EXPECT_EQ(table.row_number_end(), kept.size());
  std::sort(kept.begin(), kept.end());
  EXPECT_EQ(KeysOf(table), kept);
  const auto weights = Gather(table, keys);
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(weights[i * 64], i % 5 == 0 ? static_cast<float>(i) : Initial(table, keys[i])[0])
        << i;
  }
}

TEST(TableRows, CompactEndsWhereEnoughIsFreed) {
  TableRows table(SpecOf(64), Generation(1));
  const auto rows = Create(table, KeysTo(kWideRows));
  for (size_t i = 0; i < rows.size(); i += 2) table.Erase(rows[i]);
  const uint64_t held = table.held_bytes();
  table.Compact(1, ~0ull, true);
  EXPECT_LT(table.held_bytes(), held);
  EXPECT_GT(table.held_bytes(), table.compact_bytes() + (uint64_t{2} << 20));
}

TEST(TableRows, CompactLeavesADirtyRowWhereItIsUnlessTold) {
  TableRows table(SpecOf(4), Generation(1));
  const auto keys = KeysTo(100);
  const auto rows = Create(table, keys);
  RowLayout::Header(rows[95]).flags = kRowDirty;
  for (size_t i = 0; i < 50; ++i) table.Erase(rows[i]);
  EXPECT_EQ(table.Compact(~0ull, ~0ull, false), 4u);
  EXPECT_EQ(table.row_number_end(), 96u);
  std::byte* row = nullptr;
  table.Find({&keys[95], 1}, {&row, 1});
  EXPECT_EQ(row, rows[95]);
  table.Compact(~0ull, ~0ull, true);
  EXPECT_EQ(table.row_number_end(), 50u);
  table.Find({&keys[95], 1}, {&row, 1});
  EXPECT_EQ(RowLayout::Header(row).flags, kRowDirty);
}

TEST(TableRows, WhatIsLeftOfAnEmptiedTableIsSmall) {
  TableRows table(SpecOf(1), Generation(1));
  const auto keys = KeysTo(300000);
  for (int round = 0; round < 2; ++round) {
    for (std::byte* const row : Create(table, keys)) table.Erase(row);
    EXPECT_LT(table.used_bytes(), 32u << 10) << "the index";
    table.Compact(~0ull, ~0ull, false);
    EXPECT_EQ(table.row_number_end(), 0u);
    EXPECT_LT(table.resident_bytes(), 32u << 10);
  }
}

TEST(TableRows, StaysRightWhileRowsComeGoAndMove) {
  TableRows table(SpecOf(1), Generation(1));
  std::map<Key, float> expected;
  std::mt19937_64 random(20261125);
  for (int i = 1; i <= 200000; ++i) {
    const bool shrinks = i / 20000 % 2 != 0;
    const Key key(random() % 30000);
    std::byte* row = nullptr;
    if (random() % 8 < (shrinks ? 7u : 1u)) {
      table.Find({&key, 1}, {&row, 1});
      ASSERT_EQ(row != nullptr, expected.erase(key) == 1);
      if (row != nullptr) table.Erase(row);
    } else {
      table.FindOrCreate({&key, 1}, {&row, 1});
      *RowLayout::Weights(row) = expected[key] = static_cast<float>(i);
    }
    if (random() % 64 == 0) table.Compact(random() % 10000, random() % 100, true);
  }
  EXPECT_EQ(table.row_count(), expected.size());
  for (const auto& [key, weight] : expected) ASSERT_EQ(Gather(table, {key})[0], weight);
}

// What a row costs beyond its weights and optimizer state: header, padding, index.
double Overhead(uint32_t dim, uint64_t rows) {
  TableRows table(SpecOf(dim), Generation(1));
  Create(table, KeysTo(rows));
  const auto payload = static_cast<double>(rows * table.layout().value_bytes());
  return static_cast<double>(table.resident_bytes()) / payload;
}

TEST(TableRows, MemoryStaysCloseToWeightsAndState) {
  // Also just after all parts of the index have split, where it is emptiest.
  for (const uint64_t rows : {300000ull, 520000ull, 700000ull}) {
    EXPECT_LE(Overhead(64, rows), 1.10) << rows;
    EXPECT_LE(Overhead(8, rows), 1.60) << rows;
  }
}

TEST(TableRows, NoLoadOfWeightsCrossesACacheLineWhereThatCostsLittle) {
  for (const uint32_t dim : {32u, 64u, 128u}) {
    TableRows table(SpecOf(dim), Generation(1));
    for (const std::byte* row : Create(table, {Key(1), Key(2), Key(3)})) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(RowLayout::Weights(row)) % 32, 0u) << dim;
    }
    EXPECT_LE(table.layout().stride_bytes(), table.layout().row_bytes() * 33 / 32) << dim;
  }
  EXPECT_EQ(RowLayout(8, 8).stride_bytes(), RowLayout(8, 8).row_bytes());
}

TEST(TableRows, TableOfOneRowIsSmall) {
  TableRows table(SpecOf(64), Generation(1));
  Create(table, {Key(1)});
  EXPECT_LT(table.resident_bytes(), 8192u);
}

}  // namespace
}  // namespace rowhouse

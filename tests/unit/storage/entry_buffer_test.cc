#include "storage/entry_buffer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <string>

namespace rowhouse {
namespace {

void ExpectSortedLike(const std::map<std::string, std::string>& model, const EntryBuffer& buffer) {
  const std::vector<DiskEntryView> entries = buffer.Sorted();
  ASSERT_EQ(entries.size(), model.size());
  size_t i = 0;
  for (const auto& [key, value] : model) {
    ASSERT_EQ(entries[i].key, key);
    ASSERT_EQ(entries[i].value, value);
    ++i;
  }
}

TEST(EntryBuffer, SortsByBytesWhateverTheLengths) {
  EntryBuffer buffer;
  std::map<std::string, std::string> model;
  std::mt19937 random(5);
  for (int i = 0; i < 5000; ++i) {
    // Few letters, zero and 0xff among them: long common beginnings, and keys that begin others.
    std::string key(1 + random() % 24, '\0');
    for (char& c : key) c = "\0a\xff"[random() % 3];
    if (!model.emplace(key, std::to_string(i)).second) continue;
    buffer.Add(key, std::to_string(i));
  }
  ExpectSortedLike(model, buffer);
}

TEST(EntryBuffer, HoldsEntriesLargerThanItsPiecesAndIsUsedAgain) {
  EntryBuffer buffer;
  for (int round = 0; round < 3; ++round) {
    std::map<std::string, std::string> model;
    for (int i = 0; i < 40; ++i) {
      const std::string key = std::to_string(i * 7919 % 40 + 100 * round);
      const size_t bytes = i % 10 == 0 ? (3u << 20) : 100'000;
      model[key] = std::string(bytes, static_cast<char>('a' + i % 26));
      const EntryBuffer::Slot slot =
          buffer.Add(static_cast<uint32_t>(key.size()), static_cast<uint32_t>(bytes));
      std::memcpy(slot.key, key.data(), key.size());
      std::memcpy(slot.value, model[key].data(), bytes);
    }
    ExpectSortedLike(model, buffer);
    buffer.Clear();
    EXPECT_TRUE(buffer.empty());
  }
}

}  // namespace
}  // namespace rowhouse

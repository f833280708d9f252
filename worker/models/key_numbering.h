// Numbers keys in order of appearance: what makes the keys of a batch unique.
//
// Threading: none; one batch at a time.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <vector>

#include "common/types.h"

namespace rowhouse {

class KeyNumbering {
 public:
  // Writes each key that appears first to `keys`.
  explicit KeyNumbering(std::vector<Key>* keys, size_t keys_max) : keys_(keys) {
    keys->clear();
    numbers_.reserve(keys_max);
  }

  // The position of `key` in `keys`.
  uint32_t NumberOf(Key key) {
    const auto number = static_cast<uint32_t>(keys_->size());
    const auto [entry, is_new] = numbers_.try_emplace(key.value(), number);
    if (is_new) keys_->push_back(key);
    return entry->second;
  }

 private:
  std::vector<Key>* keys_;
  boost::unordered_flat_map<uint64_t, uint32_t> numbers_;
};

}  // namespace rowhouse

// Fixed folds for cross validation: the same on every machine, whoever computes them.
//
// Lines, numbered from 0, are sorted by splitmix64(line); the one at position p is in fold
// p mod folds.
//
// Threading: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/data/ratings.h"

namespace rowhouse {

// The fold of each of `lines` lines. REQUIRES: folds > 0.
std::vector<uint32_t> FoldsOfLines(size_t lines, uint32_t folds);

struct Split {
  std::vector<Rating> train;  // both in the order of the file
  std::vector<Rating> test;
};

// Holds `fold` out; nullopt holds nothing out. REQUIRES: *fold < folds.
Split HoldOut(const std::vector<Rating>& ratings, uint32_t folds, std::optional<uint32_t> fold);

}  // namespace rowhouse

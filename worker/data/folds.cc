#include "worker/data/folds.h"

#include <algorithm>
#include <numeric>

#include "glog/logging.h"
#include "worker/random.h"

namespace rowhouse {

std::vector<uint32_t> FoldsOfLines(size_t lines, uint32_t folds) {
  CHECK_GT(folds, 0u);
  std::vector<uint64_t> order(lines);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [](uint64_t a, uint64_t b) { return SplitMix64(a) < SplitMix64(b); });
  std::vector<uint32_t> fold_of(lines);
  for (size_t position = 0; position < lines; ++position) {
    fold_of[order[position]] = position % folds;
  }
  return fold_of;
}

Split HoldOut(const std::vector<Rating>& ratings, uint32_t folds, std::optional<uint32_t> fold) {
  if (!fold) return {ratings, {}};
  CHECK_LT(*fold, folds);
  const std::vector<uint32_t> fold_of = FoldsOfLines(ratings.size(), folds);
  Split split;
  for (size_t line = 0; line < ratings.size(); ++line) {
    (fold_of[line] == *fold ? split.test : split.train).push_back(ratings[line]);
  }
  return split;
}

}  // namespace rowhouse

// The items whose factors point in the most similar directions.
//
// Threading: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/data/titles.h"

namespace rowhouse {

struct Near {
  size_t index = 0;
  double cosine = 0;
};

struct NearTitle {
  std::string title;
  double cosine = 0;
};

// The `count` rows with the greatest cosine to row `query`, itself left out; fewer where there are
// not so many. Rows of length zero have cosine 0 to all; ties go to the lower index.
// rows: [n, dim]. REQUIRES: query < n, dim > 0.
std::vector<Near> NearestByCosine(std::span<const float> rows, uint32_t dim, size_t query,
                                  size_t count);

// The index of the title that `text` means: equal to it, else starting with it, else holding it;
// the first of several. Letters of ASCII match whatever their case.
std::optional<size_t> FindTitle(const std::vector<ItemTitle>& titles, std::string_view text);

}  // namespace rowhouse

#include "worker/training/nearest.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "common/text.h"
#include "glog/logging.h"

namespace rowhouse {
namespace {

double Dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t d = 0; d < a.size(); ++d) sum += double{a[d]} * b[d];
  return sum;
}

double Cosine(std::span<const float> a, std::span<const float> b) {
  const double lengths = std::sqrt(Dot(a, a) * Dot(b, b));
  return lengths > 0 ? Dot(a, b) / lengths : 0;
}

}  // namespace

std::vector<Near> NearestByCosine(std::span<const float> rows, uint32_t dim, size_t query,
                                  size_t count) {
  CHECK_GT(dim, 0u);
  CHECK_LT(query, rows.size() / dim);
  std::vector<Near> near;
  for (size_t i = 0; i < rows.size() / dim; ++i) {
    if (i == query) continue;
    near.push_back({i, Cosine(rows.subspan(query * dim, dim), rows.subspan(i * dim, dim))});
  }
  count = std::min(count, near.size());
  std::partial_sort(near.begin(), near.begin() + count, near.end(),
                    [](const Near& a, const Near& b) {
                      return a.cosine != b.cosine ? a.cosine > b.cosine : a.index < b.index;
                    });
  near.resize(count);
  return near;
}

std::optional<size_t> FindTitle(const std::vector<ItemTitle>& titles, std::string_view text) {
  const std::string wanted = absl::AsciiStrToLower(ForAbsl(text));
  std::optional<size_t> starting, holding;
  for (size_t i = 0; i < titles.size(); ++i) {
    const std::string title = absl::AsciiStrToLower(titles[i].title);
    if (title == wanted) return i;
    if (!starting && title.starts_with(wanted)) starting = i;
    if (!holding && title.find(wanted) != std::string::npos) holding = i;
  }
  return starting ? starting : holding;
}

}  // namespace rowhouse

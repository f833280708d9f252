#include "worker/training/nearest.h"

#include <boost/unordered/unordered_flat_map.hpp>

#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "worker/commands/commands.h"
#include "worker/commands/output.h"
#include "worker/events.h"

namespace rowhouse {
namespace {

constexpr size_t kNearestCount = 10;
constexpr size_t kPullRows = 4096;
constexpr const char* kDefaultTitles[] = {"Star Wars", "Toy Story", "Godfather, The"};
constexpr size_t kDefaultCount = std::size(kDefaultTitles);

// Those with enough ratings, where the ratings are given: a row that was hardly trained is near to
// anything by chance.
absl::StatusOr<std::vector<ItemTitle>> ReadWellRatedTitles(const WorkerOptions& options) {
  ASSIGN_OR_RETURN(std::vector<ItemTitle> titles, ReadTitles(options.items_file));
  if (options.data_file.empty()) return titles;
  ASSIGN_OR_RETURN(const auto ratings, ReadRatings(options.data_file, options.format));
  boost::unordered_flat_map<uint64_t, uint32_t> counts;
  for (const Rating& rating : ratings) ++counts[rating.item.value()];
  std::erase_if(titles, [&](const ItemTitle& title) {
    return counts[title.item.value()] < options.ratings_min;
  });
  return titles;
}

// Indices of the titles asked for; where none was, of well-known ones, or else of the first.
absl::StatusOr<std::vector<size_t>> QueriesOf(const WorkerOptions& options,
                                              const std::vector<ItemTitle>& titles) {
  std::vector<size_t> queries;
  for (const std::string& text : options.titles) {
    const std::optional<size_t> found = FindTitle(titles, text);
    if (!found) {
      return absl::NotFoundError(StrCat(options.items_file, ": no title holds '", text,
                                        options.data_file.empty() ? "'" : "' and has the ratings"));
    }
    queries.push_back(*found);
  }
  if (!queries.empty()) return queries;
  for (const char* text : kDefaultTitles) {
    if (const auto found = FindTitle(titles, text)) queries.push_back(*found);
  }
  if (!queries.empty()) return queries;
  for (size_t i = 0; i < std::min(kDefaultCount, titles.size()); ++i) queries.push_back(i);
  return queries;
}

absl::StatusOr<std::vector<float>> PullFactors(const WorkerOptions& options,
                                               const std::vector<ItemTitle>& titles) {
  const MatrixFactorization model(options.model, 0, {});
  ASSIGN_OR_RETURN(const auto client, Client::Connect(options.client));
  ASSIGN_OR_RETURN(const Table table,
                   client->CreateTable(model.Tables()[MatrixFactorization::kItem]));
  std::vector<Key> keys;
  for (const ItemTitle& title : titles) keys.push_back(title.item);
  std::vector<float> rows(keys.size() * table.dim);
  for (size_t begin = 0; begin < keys.size(); begin += kPullRows) {
    const size_t count = std::min(kPullRows, keys.size() - begin);
    const auto part_rows = std::span(rows).subspan(begin * table.dim, count * table.dim);
    RETURN_IF_ERROR(
        client->Pull(Step(1), {{table, std::span(keys).subspan(begin, count), part_rows}}).get());
  }
  return rows;
}

void PrintNearest(const WorkerOptions& options, const std::string& title,
                  const std::vector<NearTitle>& nearest) {
  if (options.json) return PrintLine(NearestJson(title, nearest));
  PrintLine(title);
  for (const NearTitle& near : nearest) {
    PrintLine(absl::StrFormat("  %5.2f  %s", near.cosine, near.title));
  }
}

}  // namespace

absl::Status RunNearest(const WorkerOptions& options) {
  ASSIGN_OR_RETURN(const auto titles, ReadWellRatedTitles(options));
  ASSIGN_OR_RETURN(const auto queries, QueriesOf(options, titles));
  ASSIGN_OR_RETURN(const auto rows, PullFactors(options, titles));
  for (const size_t query : queries) {
    std::vector<NearTitle> nearest;
    for (const Near& near : NearestByCosine(rows, options.model.dim, query, kNearestCount)) {
      nearest.push_back({titles[near.index].title, near.cosine});
    }
    PrintNearest(options, titles[query].title, nearest);
  }
  return absl::OkStatus();
}

}  // namespace rowhouse

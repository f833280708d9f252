#include "worker/stats_table.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "common/text.h"

namespace rowhouse {
namespace {

using Line = std::vector<std::string>;

std::vector<std::string> NamesIn(const std::vector<StatsAnswer>& stats) {
  std::vector<std::string> names;
  for (const StatsAnswer& shard : stats) {
    for (const Counter& counter : shard.counters) {
      const bool is_new = std::find(names.begin(), names.end(), counter.name) == names.end();
      if (is_new) names.push_back(counter.name);
    }
  }
  return names;
}

std::optional<uint64_t> ValueOf(const StatsAnswer& shard, const std::string& name) {
  for (const Counter& counter : shard.counters) {
    if (counter.name == name) return counter.value;
  }
  return std::nullopt;
}

Line HeaderOf(size_t shards) {
  Line line = {"counter"};
  for (size_t i = 0; i < shards; ++i) line.push_back(StrCat("shard ", i));
  if (shards > 1) line.push_back("all");
  return line;
}

// Sums of most counters mean something; of the longest of a kind the longest does.
Line LineOf(const std::string& name, const std::vector<StatsAnswer>& stats) {
  Line line = {name};
  const bool is_longest = name.starts_with("longest_");
  uint64_t all = 0;
  for (const StatsAnswer& shard : stats) {
    const std::optional<uint64_t> value = ValueOf(shard, name);
    line.push_back(value ? StrCat(*value) : "-");
    all = is_longest ? std::max(all, value.value_or(0)) : all + value.value_or(0);
  }
  if (stats.size() > 1) line.push_back(StrCat(all));
  return line;
}

// The first column is left aligned, numbers right.
std::string Aligned(const Line& line, const std::vector<size_t>& widths) {
  std::string text = line[0] + std::string(widths[0] - line[0].size(), ' ');
  for (size_t i = 1; i < line.size(); ++i) {
    text += std::string(2 + widths[i] - line[i].size(), ' ') + line[i];
  }
  return text;
}

}  // namespace

std::vector<std::string> StatsTable(const std::vector<StatsAnswer>& stats) {
  std::vector<Line> lines = {HeaderOf(stats.size())};
  for (const std::string& name : NamesIn(stats)) lines.push_back(LineOf(name, stats));
  std::vector<size_t> widths(lines[0].size());
  for (const Line& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::vector<std::string> aligned;
  for (const Line& line : lines) aligned.push_back(Aligned(line, widths));
  return aligned;
}

std::string StatsJson(const std::vector<StatsAnswer>& stats) {
  boost::json::array shards;
  for (const StatsAnswer& shard : stats) {
    boost::json::object counters;
    for (const Counter& counter : shard.counters) counters[counter.name] = counter.value;
    shards.push_back(std::move(counters));
  }
  return boost::json::serialize(boost::json::object{{"shards", std::move(shards)}});
}

}  // namespace rowhouse

// rowhouse-ps verify: is everything in a data directory as it should be?
#include "ps/verify.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <optional>
#include <utility>

#include "common/config.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "ps/commands/commands.h"

namespace rowhouse {
namespace {

namespace fs = std::filesystem;

constexpr auto kProgressInterval = std::chrono::seconds(3);

struct VerifyOptions {
  std::string data_dir = "rowhouse-data";
  std::optional<uint32_t> shard;
  bool json = false;
};

Settings MakeSettings(VerifyOptions* options) {
  Settings settings;
  settings.Section("verify", "What to read");
  settings.Text("data_dir", &options->data_dir, "DIR",
                "A server's data directory; no server may run on it");
  settings.OptionalInteger("shard", &options->shard, {0, kShardCountMax - 1}, "",
                           "Only this shard of it");
  settings.Switch("json", &options->json, "One JSON object per shard, a line each");
  return settings;
}

Program VerifyProgram() {
  return {
      "rowhouse-ps",
      ROWHOUSE_VERSION,
      "Reads a data directory as a start would, changes nothing, and says what is damaged. Exit "
      "codes: 0 all is whole; 1 something is damaged; 2 it could not be judged: bad flags, no "
      "such directory, a server runs on it, a newer format.",
      {{"verify", "Check rows, bookkeeping and push log"}},
      {"rowhouse-ps verify --data-dir /var/lib/rowhouse",
       "rowhouse-ps verify --data-dir /var/lib/rowhouse --shard 0 --json"}};
}

absl::StatusOr<std::vector<uint32_t>> ShardsIn(const VerifyOptions& options) {
  if (options.shard.has_value()) return std::vector<uint32_t>{*options.shard};
  std::vector<uint32_t> shards;
  std::error_code error;
  fs::directory_iterator at(options.data_dir, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with("shard-") || name.size() > 12) continue;
    const std::string digits = name.substr(6);
    if (digits.empty() || !std::all_of(digits.begin(), digits.end(), ::isdigit)) continue;
    shards.push_back(static_cast<uint32_t>(std::stoul(digits)));
  }
  if (error) {
    return absl::NotFoundError(
        StrCat("cannot list '", options.data_dir, "': ", error.message(), "; see --data-dir"));
  }
  if (shards.empty()) {
    return absl::NotFoundError(StrCat("'", options.data_dir,
                                      "' holds no shard (a directory shard-0, shard-1, ...): name "
                                      "a server's data directory with --data-dir"));
  }
  std::sort(shards.begin(), shards.end());
  return shards;
}

// A line every few seconds, and none for what is quickly read.
class ProgressLines {
 public:
  explicit ProgressLines(uint32_t shard) : shard_(shard) {}

  void Note(std::string_view what, uint64_t done, std::string_view unit) {
    const auto now = std::chrono::steady_clock::now();
    if (now - said_at_ < kProgressInterval) return;
    said_at_ = now;
    std::cerr << "rowhouse-ps verify: shard " << shard_ << ": reading " << what;
    if (done > 0) std::cerr << ": " << done << " " << unit;
    std::cerr << "\n";
  }

 private:
  const uint32_t shard_;
  std::chrono::steady_clock::time_point said_at_ = std::chrono::steady_clock::now();
};

void PrintText(const ShardVerdict& verdict) {
  std::cout << verdict.path << ": " << (verdict.whole() ? "whole" : "DAMAGED") << ": "
            << verdict.rows << " rows in " << verdict.tables << " tables, watermark "
            << verdict.watermark << ", " << verdict.records << " log records above it in "
            << verdict.log_segments << " segments, last LSN " << verdict.last_lsn << "\n";
  for (const std::string& damage : verdict.damage) std::cout << "  damage: " << damage << "\n";
  for (const std::string& note : verdict.notes) std::cout << "  note: " << note << "\n";
}

void PrintJson(const ShardVerdict& verdict) {
  const boost::json::object json = {
      {"path", verdict.path},
      {"shard", verdict.shard},
      {"whole", verdict.whole()},
      {"rows", verdict.rows},
      {"tables", verdict.tables},
      {"watermark", verdict.watermark},
      {"records", verdict.records},
      {"log_segments", verdict.log_segments},
      {"last_lsn", verdict.last_lsn},
      {"damage", boost::json::array(verdict.damage.begin(), verdict.damage.end())},
      {"notes", boost::json::array(verdict.notes.begin(), verdict.notes.end())}};
  std::cout << boost::json::serialize(json) << "\n";
}

absl::StatusOr<bool> VerifyAll(const VerifyOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<uint32_t> shards, ShardsIn(options));
  bool all_whole = true;
  for (const uint32_t shard : shards) {
    ProgressLines lines(shard);
    ASSIGN_OR_RETURN(const ShardVerdict verdict,
                     VerifyShard(StrCat(options.data_dir, "/shard-", shard),
                                 [&](std::string_view what, uint64_t done, std::string_view unit) {
                                   lines.Note(what, done, unit);
                                 }));
    (options.json ? PrintJson : PrintText)(verdict);
    std::cout << std::flush;
    all_whole &= verdict.whole();
  }
  return all_whole;
}

}  // namespace

int RunVerify(int argc, const char* const* argv) {
  VerifyOptions options;
  Settings settings = MakeSettings(&options);
  const auto parsed = settings.ParseCommandLine(argc, argv, VerifyProgram());
  if (!parsed.ok()) return FailCommand(parsed.status(), kExitBadUsage);
  if (parsed->answer.has_value()) {
    std::cout << *parsed->answer;
    return kExitDone;
  }
  const absl::StatusOr<bool> whole = VerifyAll(options);
  if (!whole.ok()) return FailCommand(whole.status(), kExitBadUsage);
  return *whole ? kExitDone : kExitFailed;
}

}  // namespace rowhouse

#include <unistd.h>

#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>

#include "absl/strings/str_format.h"
#include "common/checkpoint_manifest.h"
#include "common/config.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "ps/checkpoint_restore.h"
#include "ps/commands/commands.h"

namespace rowhouse {
namespace {

namespace fs = std::filesystem;

struct RestoreFlags {
  CheckpointRestoreOptions restore;
  std::string directory;
  std::string checkpoint;
  std::string timeline;
  bool json = false;
};

Settings MakeRestoreSettings(RestoreFlags* flags) {
  CheckpointRestoreOptions& restore = flags->restore;
  Settings settings;
  settings.Section("restore", "Restore");
  settings.Text("checkpoint", &flags->checkpoint, "FILE",
                "The checkpoint's manifest: DIR/checkpoint-00000007.json; with --dir also its "
                "number");
  settings.Text("dir", &flags->directory, "DIR",
                "Directory of checkpoints: the newest one where --checkpoint names none");
  settings.Text("data_dir", &restore.data_dir, "DIR",
                "The server's new data directory: absent or empty");
  settings.Integer("shards", &restore.shards, {1, kShardCountMax}, "shards",
                   "Shards on this server; any number, whatever the checkpoint had");
  settings.Integer("server_index", &restore.server_index, {0, kShardCountMax - 1}, "",
                   "Which of the new cluster's servers this is, from 0");
  settings.Integer("server_count", &restore.server_count, {1, kShardCountMax}, "servers",
                   "Servers of the new cluster; restore once for each");
  settings.Text(
      "timeline", &flags->timeline, "HEX",
      "Names the restored history: the same for all servers of the new cluster, another one "
      "for every restore. With one server it is drawn at random; with more, give one");
  settings.Integer("memory_bytes_max", &restore.memory_bytes_max, {64ull << 20, 1ull << 50},
                   "bytes", "Memory for rows while a shard of the checkpoint is recovered");
  settings.Switch("json", &flags->json, "Print the summary as JSON");
  return settings;
}

Program RestoreProgram() {
  return {
      "rowhouse-ps",
      ROWHOUSE_VERSION,
      "Makes a server's data directory from a checkpoint, for any number of shards. Exit codes: 0 "
      "restored; 1 failed, with the reason on stderr (remove what is then in the data "
      "directory); 2 bad flags.",
      {{"restore", "Make a data directory from a checkpoint"}},
      {"rowhouse-ps restore --dir /mnt/checkpoints --data-dir /var/lib/rowhouse --shards 4",
       "rowhouse-ps restore --checkpoint /mnt/checkpoints/checkpoint-00000007.json \\\n"
       "      --data-dir data --server-index 1 --server-count 2 --shards 1 \\\n"
       "      --timeline 5c0e9d31a7f24b68 --json"}};
}

absl::StatusOr<Mark> NewestIn(const std::string& directory) {
  Mark newest;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    newest = std::max(newest, ParseManifestName(at->path().filename().string()));
  }
  if (error) return absl::NotFoundError(StrCat("cannot list ", directory, ": ", error.message()));
  if (newest == Mark(0)) return absl::NotFoundError(StrCat(directory, " holds no checkpoint"));
  return newest;
}

// The path of the manifest that the flags name.
absl::StatusOr<std::string> ManifestPath(const RestoreFlags& flags) {
  if (flags.directory.empty()) {
    if (!flags.checkpoint.empty()) return flags.checkpoint;
    return absl::InvalidArgumentError("give --checkpoint FILE or --dir DIR");
  }
  Mark mark;
  if (flags.checkpoint.empty()) {
    ASSIGN_OR_RETURN(mark, NewestIn(flags.directory));
  } else {
    uint64_t number = 0;
    const char* const end = flags.checkpoint.data() + flags.checkpoint.size();
    const auto parsed = std::from_chars(flags.checkpoint.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end || number == 0) {
      return absl::InvalidArgumentError(
          StrCat("--checkpoint is '", flags.checkpoint, "'; with --dir it is a number"));
    }
    mark = Mark(number);
  }
  return StrCat(flags.directory, "/", ManifestName(mark));
}

absl::StatusOr<Timeline> ParseTimeline(std::string_view text) {
  if (text.empty()) return Timeline(0);
  const std::string_view digits = text.starts_with("0x") ? text.substr(2) : text;
  uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, value, 16);
  if (parsed.ec == std::errc() && parsed.ptr == end && value != 0) return Timeline(value);
  return absl::InvalidArgumentError(
      StrCat("--timeline is '", text, "'; it must be 1 to 16 hex digits, not all 0"));
}

absl::Status Complete(RestoreFlags* flags) {
  if (flags->restore.data_dir.empty()) return absl::InvalidArgumentError("give --data-dir DIR");
  ASSIGN_OR_RETURN(flags->restore.timeline, ParseTimeline(flags->timeline));
  ASSIGN_OR_RETURN(flags->restore.manifest_path, ManifestPath(*flags));
  return absl::OkStatus();
}

// One line on a terminal, drawn anew at most ten times a second; quiet elsewhere.
class ProgressLine {
 public:
  ProgressLine() : shown_(isatty(STDERR_FILENO) != 0) {}

  void Update(const CheckpointRestoreProgress& progress) {
    const auto now = std::chrono::steady_clock::now();
    if (!shown_ || now - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_ = now;
    std::cerr << absl::StrFormat(
                     "\r\033[Kshard %d of %d  %d%% of %.1f MiB verified  %d rows",
                     std::min(progress.shard + 1, progress.shard_count), progress.shard_count,
                     progress.bytes_done * 100 / std::max<uint64_t>(1, progress.bytes_total),
                     static_cast<double>(progress.bytes_total) / (1 << 20), progress.rows)
              << std::flush;
  }
  ~ProgressLine() {
    if (shown_) std::cerr << "\r\033[K" << std::flush;
  }

 private:
  const bool shown_;
  std::chrono::steady_clock::time_point drawn_;
};

std::string Hex(Timeline timeline) { return absl::StrFormat("%016x", timeline.value()); }

void PrintJson(const CheckpointRestored& restored) {
  boost::json::array shards;
  for (const RestoredShard& shard : restored.shards) {
    shards.push_back({{"shard", shard.shard.value()}, {"path", shard.path}, {"rows", shard.rows}});
  }
  std::cout << boost::json::serialize(boost::json::object{{"checkpoint", restored.mark.value()},
                                                          {"timeline", Hex(restored.timeline)},
                                                          {"shard_count", restored.shard_count},
                                                          {"lsn", restored.lsn.value()},
                                                          {"tables", restored.tables},
                                                          {"half_steps", restored.half_steps},
                                                          {"shards", std::move(shards)}})
            << "\n";
}

void PrintText(const CheckpointRestored& restored) {
  for (const RestoredShard& shard : restored.shards) {
    std::cout << shard.path << ": " << shard.rows << " rows\n";
  }
  std::cout << "checkpoint " << restored.mark << " restored as timeline " << Hex(restored.timeline)
            << ": " << restored.tables << " tables, " << restored.shards.size() << " of "
            << restored.shard_count << " shards";
  if (restored.half_steps > 0) {
    std::cout << "; " << restored.half_steps
              << " steps of workers that died are in it half (see the manifest)";
  }
  std::cout << "\n";
}

}  // namespace

int RunRestore(int argc, const char* const* argv) {
  RestoreFlags flags;
  Settings settings = MakeRestoreSettings(&flags);
  const auto parsed = settings.ParseCommandLine(argc, argv, RestoreProgram());
  if (!parsed.ok()) return FailCommand(parsed.status(), kExitBadUsage);
  if (parsed->answer.has_value()) {
    std::cout << *parsed->answer;
    return kExitDone;
  }
  const absl::Status complete = Complete(&flags);
  if (!complete.ok()) {
    return FailCommand(complete, absl::IsNotFound(complete) ? kExitFailed : kExitBadUsage);
  }
  absl::StatusOr<CheckpointRestored> restored;
  {
    ProgressLine line;
    restored =
        RestoreCheckpoint(flags.restore, [&line](const auto& progress) { line.Update(progress); });
  }
  if (!restored.ok()) {
    const bool bad_flags = absl::IsInvalidArgument(restored.status());
    return FailCommand(restored.status(), bad_flags ? kExitBadUsage : kExitFailed);
  }
  flags.json ? PrintJson(*restored) : PrintText(*restored);
  return kExitDone;
}

}  // namespace rowhouse

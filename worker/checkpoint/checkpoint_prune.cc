#include "worker/checkpoint/checkpoint_prune.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>

#include "common/status_macros.h"
#include "common/text.h"

namespace rowhouse {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<std::set<std::string>> NamesIn(const CheckpointDirectory& directory,
                                              const std::vector<Mark>& marks) {
  std::set<std::string> names;
  for (const Mark mark : marks) {
    ASSIGN_OR_RETURN(const CheckpointManifest manifest, directory.Read(mark));
    for (const ShardManifest& shard : manifest.shards) {
      for (const CheckpointFile& file : shard.files) names.insert(file.name);
    }
  }
  return names;
}

struct FoundFile {
  fs::path path;
  uint64_t bytes = 0;
};

absl::StatusOr<std::vector<FoundFile>> FilesBesides(const std::string& folder,
                                                    const std::set<std::string>& names) {
  std::vector<FoundFile> found;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code unknown;
    const bool is_file = at->is_regular_file(unknown);
    if (!is_file || names.contains(at->path().filename().string())) continue;
    const uint64_t bytes = at->file_size(unknown);
    found.push_back({at->path(), unknown ? 0 : bytes});
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return absl::UnavailableError(StrCat("cannot list '", folder, "': ", error.message()));
  }
  std::sort(found.begin(), found.end(),
            [](const FoundFile& a, const FoundFile& b) { return a.path < b.path; });
  return found;
}

absl::Status RemoveFile(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(StrCat("cannot remove '", path.string(), "': ", error.message()));
}

// Manifests that were never renamed into place.
absl::Status RemoveTemporaries(const CheckpointDirectory& directory) {
  std::vector<fs::path> leftovers;
  std::error_code error;
  for (fs::directory_iterator at(directory.path(), error), end; !error && at != end;
       at.increment(error)) {
    const fs::path& path = at->path();
    if (path.extension() != ".tmp") continue;
    if (ParseManifestName(path.stem().string()) != Mark(0)) leftovers.push_back(path);
  }
  for (const fs::path& path : leftovers) RETURN_IF_ERROR(RemoveFile(path));
  return absl::OkStatus();
}

}  // namespace

std::vector<Mark> KeptBy(const Retention& retention, const std::vector<Mark>& numbers) {
  std::vector<Mark> kept;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const bool is_new = numbers.size() - i <= retention.keep;
    const bool is_due = retention.keep_every != 0 && numbers[i].value() % retention.keep_every == 0;
    if (is_new || is_due) kept.push_back(numbers[i]);
  }
  return kept;
}

absl::StatusOr<PruneResult> PruneCheckpoints(const CheckpointDirectory& directory,
                                             const Retention& retention, bool dry_run) {
  ASSIGN_OR_RETURN(const CheckpointLock lock, directory.Lock());
  ASSIGN_OR_RETURN(const std::vector<Mark> numbers, directory.Numbers());
  PruneResult result;
  result.kept = KeptBy(retention, numbers);
  std::set_difference(numbers.begin(), numbers.end(), result.kept.begin(), result.kept.end(),
                      std::back_inserter(result.removed));
  ASSIGN_OR_RETURN(const auto names, NamesIn(directory, result.kept));
  ASSIGN_OR_RETURN(const auto files, FilesBesides(directory.files_path(), names));
  if (!dry_run) {
    RETURN_IF_ERROR(directory.Remove(result.removed));
    RETURN_IF_ERROR(RemoveTemporaries(directory));
  }
  for (const FoundFile& file : files) {
    if (!dry_run) RETURN_IF_ERROR(RemoveFile(file.path));
    result.files.push_back(file.path.filename().string());
    result.bytes += file.bytes;
  }
  return result;
}

}  // namespace rowhouse

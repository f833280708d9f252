#include "storage/checksum_cache.h"

#include <utility>

namespace rowhouse {

FileFacts FileFacts::Of(const struct stat& info, std::string name) {
  constexpr int64_t kSecondNs = 1'000'000'000;
  return {info.st_dev, info.st_ino, static_cast<uint64_t>(info.st_size),
          info.st_mtim.tv_sec * kSecondNs + info.st_mtim.tv_nsec, std::move(name)};
}

std::optional<uint64_t> ChecksumCache::Find(const FileFacts& file) {
  const auto found = known_.find(file);
  if (found == known_.end()) return std::nullopt;
  found->second.round = round_;
  return found->second.checksum;
}

// Full of files that attempts which came to nothing have left: begins anew.
void ChecksumCache::Note(const FileFacts& file, uint64_t checksum) {
  if (known_.size() >= files_max_) known_.clear();
  known_[file] = {checksum, round_};
}

void ChecksumCache::EndRound() {
  std::erase_if(known_, [this](const auto& entry) { return entry.second.round != round_; });
  ++round_;
}

}  // namespace rowhouse

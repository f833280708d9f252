#include "worker/checkpoint/checkpoint_verify.h"

#define XXH_INLINE_ALL
#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>

#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace rowhouse {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

struct Content {
  uint64_t bytes = 0;
  uint64_t checksum = 0;
  std::string failure;  // why it could not be read to its end
};

Content ReadContent(const std::string& path, const std::function<void(size_t)>& on_bytes) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {0, 0, errno == ENOENT ? "is missing" : std::strerror(errno)};
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  Content content;
  while (true) {
    const ssize_t count = ::read(fd, buffer.get(), kBufferBytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) content.failure = std::strerror(errno);
    if (count <= 0) break;
    XXH3_64bits_update(&state, buffer.get(), static_cast<size_t>(count));
    content.bytes += static_cast<uint64_t>(count);
    on_bytes(static_cast<size_t>(count));
  }
  ::close(fd);
  content.checksum = XXH3_64bits_digest(&state);
  return content;
}

// Empty where the file is as the manifest says.
std::string DamageOf(const CheckpointFile& file, const Content& content) {
  if (!content.failure.empty()) return content.failure;
  if (content.bytes != file.bytes) {
    return StrCat("has ", content.bytes, " bytes, the manifest says ", file.bytes);
  }
  if (content.checksum == file.checksum) return "";
  return absl::StrFormat("its content has checksum %016x, the manifest says %016x: it is damaged",
                         content.checksum, file.checksum);
}

}  // namespace

absl::StatusOr<CheckpointVerdict> VerifyCheckpoint(const CheckpointDirectory& directory, Mark mark,
                                                   const VerifyProgress& read) {
  ASSIGN_OR_RETURN(const CheckpointManifest manifest, directory.Read(mark));
  const uint64_t total = DistinctBytes(manifest);
  CheckpointVerdict verdict{mark, 0, 0, {}};
  // Of every name the first content; whatever else the manifest says of it must agree.
  std::map<std::string, Content> contents;
  for (const ShardManifest& shard : manifest.shards) {
    for (const CheckpointFile& file : shard.files) {
      const auto [at, is_new] = contents.try_emplace(file.name);
      if (is_new) {
        at->second = ReadContent(directory.PathOf(file), [&](size_t bytes) {
          verdict.bytes += bytes;
          read(verdict.bytes, total);
        });
        ++verdict.files;
      }
      const std::string damage = DamageOf(file, at->second);
      if (damage.empty()) continue;
      verdict.damages.push_back(StrCat(directory.PathOf(file), ", which is ", file.original,
                                       " of shard ", shard.shard.value(), ": ", damage));
    }
  }
  return verdict;
}

}  // namespace rowhouse

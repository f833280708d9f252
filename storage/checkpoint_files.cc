#include "storage/checkpoint_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <system_error>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/checkpoint_manifest.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "storage/posix_file.h"
#include "storage/push_log_format.h"
#include "storage/segment_reader.h"

namespace rowhouse {
namespace {

namespace fs = std::filesystem;

constexpr size_t kChunkBytes = size_t{1} << 20;
constexpr size_t kManifestBytesMax = size_t{1} << 30;

using Chunk = std::span<const std::byte>;

class StreamChecksum {
 public:
  StreamChecksum() { XXH3_64bits_reset(&state_); }
  void Add(Chunk chunk) { XXH3_64bits_update(&state_, chunk.data(), chunk.size()); }
  uint64_t value() const { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_;
};

// Something to publish: read from front to back, as often as needed.
struct Source {
  std::string kind;
  std::string original;
  std::string link_path;  // empty: copy
  uint64_t bytes = 0;
  std::function<absl::StatusOr<std::vector<std::byte>>(uint64_t offset, size_t bytes)> read;
};

std::string FilesFolder(const std::string& directory) { return directory + "/files"; }

std::string PathOf(const std::string& directory, std::string_view name) {
  return StrCat(FilesFolder(directory), "/", name);
}

absl::Status WriteAll(int fd, Chunk chunk, uint64_t offset, const std::string& path) {
  while (!chunk.empty()) {
    const ssize_t written = pwrite(fd, chunk.data(), chunk.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return PosixError("write", path);
    offset += static_cast<uint64_t>(written);
    chunk = chunk.subspan(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::byte>> ReadPiece(int fd, uint64_t offset, size_t bytes,
                                                 const std::string& path) {
  std::vector<std::byte> out(bytes);
  size_t done = 0;
  while (done < bytes) {
    const ssize_t got =
        pread(fd, out.data() + done, bytes - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return PosixError("read", path);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  out.resize(done);
  return out;
}

absl::StatusOr<uint64_t> SizeOf(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return PosixError("look at", path);
  return static_cast<uint64_t>(info.st_size);
}

absl::StatusOr<Source> RowsSource(const FrozenFile& file) {
  const bool is_rows = file.name.ends_with(".sst");
  ASSIGN_OR_RETURN(const uint64_t bytes, SizeOf(file.path));
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(file.path, O_RDONLY, "read"));
  auto shared = std::make_shared<UniqueFd>(std::move(fd));
  return Source{is_rows ? "sst" : "db", "rows/" + file.name, is_rows ? file.path : "", bytes,
                [shared, path = file.path](uint64_t offset, size_t wanted) {
                  return ReadPiece(shared->get(), offset, wanted, path);
                }};
}

Source LogSource(const LogFiles& log, const LogPart& part) {
  return {"log", "log/" + part.name, part.closed ? log.LinkPath(part.name) : "", part.bytes,
          [&log, name = part.name](uint64_t offset, size_t wanted) {
            return log.Read(name, offset, wanted);
          }};
}

absl::Status ForEachChunk(const Source& source, const PublishProgress& progress,
                          const std::function<absl::Status(Chunk, uint64_t offset)>& take) {
  uint64_t offset = 0;
  while (offset < source.bytes) {
    if (progress.cancelled) return absl::CancelledError("publishing the checkpoint was given up");
    const size_t wanted = std::min<uint64_t>(kChunkBytes, source.bytes - offset);
    ASSIGN_OR_RETURN(const std::vector<std::byte> chunk, source.read(offset, wanted));
    if (chunk.size() != wanted) {
      return absl::DataLossError(StrCat("checkpoint: ", source.original, " ends at ",
                                        offset + chunk.size(), ", ", source.bytes,
                                        " bytes were expected"));
    }
    RETURN_IF_ERROR(take(chunk, offset));
    offset += wanted;
  }
  return absl::OkStatus();
}

// Names of content that a manifest vouches for, with sizes. A manifest that cannot be read vouches
// for nothing.
absl::StatusOr<std::map<std::string, uint64_t>> NamedFiles(const std::string& directory) {
  std::map<std::string, uint64_t> named;
  std::error_code error;
  fs::directory_iterator at(directory, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    const std::string path = at->path().string();
    if (ParseManifestName(at->path().filename().string()) == Mark(0)) continue;
    const absl::StatusOr<uint64_t> bytes = SizeOf(path);
    if (!bytes.ok() || *bytes > kManifestBytesMax) continue;
    const absl::StatusOr<UniqueFd> fd = OpenFile(path, O_RDONLY, "read");
    if (!fd.ok()) continue;
    const auto text = ReadPiece(fd->get(), 0, *bytes, path);
    if (!text.ok()) continue;
    const auto manifest =
        DecodeManifest({reinterpret_cast<const char*>(text->data()), text->size()});
    if (!manifest.ok()) continue;
    for (const ShardManifest& shard : manifest->shards) {
      for (const CheckpointFile& file : shard.files) named[file.name] = file.bytes;
    }
  }
  if (error)
    return absl::UnavailableError(StrCat("cannot list ", directory, ": ", error.message()));
  return named;
}

class Publisher {
 public:
  Publisher(std::string directory, std::map<std::string, uint64_t> named, PublishProgress* progress)
      : directory_(std::move(directory)), named_(std::move(named)), progress_(progress) {}

  absl::StatusOr<CheckpointFile> Put(const Source& source) {
    StreamChecksum checksum;
    RETURN_IF_ERROR(ForEachChunk(source, *progress_, [&](Chunk chunk, uint64_t) {
      checksum.Add(chunk);
      return absl::OkStatus();
    }));
    const CheckpointFile file{
        absl::StrFormat("%s-%016x-%d", source.kind, checksum.value(), source.bytes),
        source.original, source.bytes, checksum.value()};
    RETURN_IF_ERROR(Place(source, PathOf(directory_, file.name), file.name));
    return file;
  }

 private:
  absl::Status Place(const Source& source, const std::string& path, const std::string& name) {
    if (IsThere(path, name, source.bytes)) {
      progress_->bytes_done += source.bytes;
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(RemoveLinked(path));
    if (!source.link_path.empty() && Linked(source.link_path, path)) {
      progress_->bytes_done += source.bytes;
      return absl::OkStatus();
    }
    return Copy(source, path);
  }

  bool IsThere(const std::string& path, const std::string& name, uint64_t bytes) const {
    if (!named_.contains(name)) return false;
    const absl::StatusOr<uint64_t> size = SizeOf(path);
    return size.ok() && *size == bytes;
  }

  // A leftover that is one with some shard's own file must not be written to.
  static absl::Status RemoveLinked(const std::string& path) {
    struct stat info;
    if (lstat(path.c_str(), &info) != 0 || (S_ISREG(info.st_mode) && info.st_nlink < 2)) {
      return absl::OkStatus();
    }
    if (unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
    return PosixError("remove", path);
  }

  // Whatever stands against a link, a copy may work, or say better what is wrong.
  static bool Linked(const std::string& from, const std::string& path) {
    if (link(from.c_str(), path.c_str()) == 0) return true;
    if (errno != EEXIST || unlink(path.c_str()) != 0) return false;
    return link(from.c_str(), path.c_str()) == 0;
  }

  // Another shard may write equal bytes to the same name meanwhile: the file is never made shorter
  // than what both write.
  absl::Status Copy(const Source& source, const std::string& path) {
    ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(path, O_WRONLY | O_CREAT, "write"));
    RETURN_IF_ERROR(ForEachChunk(source, *progress_, [&](Chunk chunk, uint64_t offset) {
      progress_->bytes_done += chunk.size();
      return WriteAll(fd.get(), chunk, offset, path);
    }));
    if (ftruncate(fd.get(), static_cast<off_t>(source.bytes)) != 0) {
      return PosixError("truncate", path);
    }
    return fsync(fd.get()) == 0 ? absl::OkStatus() : PosixError("sync", path);
  }

  const std::string directory_;
  const std::map<std::string, uint64_t> named_;
  PublishProgress* const progress_;
};

absl::StatusOr<std::vector<LogPart>> SegmentsFrom(const LogFiles& log, Lsn watermark,
                                                  std::vector<Lsn>* firsts) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, log.List());
  std::vector<LogPart> parts;
  for (const std::string& name : names) {
    const std::optional<Lsn> first = ParseSegmentName(name);
    if (!first.has_value()) continue;
    if (!firsts->empty() && first->value() <= watermark.value() + 1) {
      parts.clear();
      firsts->clear();
    }
    parts.push_back({name});
    firsts->push_back(*first);
  }
  return parts;
}

absl::StatusOr<BatchHeader> BatchAt(FileWindow& window, uint64_t offset) {
  ASSIGN_OR_RETURN(const Chunk bytes, window.Peek(offset, sizeof(BatchHeader)));
  BatchHeader header;
  if (bytes.size() == sizeof(header)) {
    std::memcpy(&header, bytes.data(), sizeof(header));
    if (header.magic == kBatchMagic && header.checksum == ChecksumOf(header)) return header;
  }
  return absl::DataLossError(StrCat("push log: ", window.Describe(), ", offset ", offset,
                                    ": no whole batch header, though it had been synced; check "
                                    "the disk"));
}

// End of the batch that holds `cut`.
absl::StatusOr<uint64_t> BytesUpTo(const LogFiles& log, const std::string& name, Lsn cut) {
  ASSIGN_OR_RETURN(const uint64_t size, log.SizeBytes(name));
  FileWindow window(&log, name, size);
  uint64_t offset = sizeof(SegmentHeader);
  Lsn next;
  do {
    ASSIGN_OR_RETURN(const BatchHeader batch, BatchAt(window, offset));
    offset += batch.batch_bytes;
    next = Lsn(batch.first_lsn.value() + batch.record_count);
  } while (next <= cut);
  return offset;
}

}  // namespace

absl::StatusOr<std::vector<LogPart>> FindLogParts(const LogFiles& log, Lsn watermark, Lsn cut) {
  std::vector<LogPart> parts;
  if (cut <= watermark) return parts;
  std::vector<Lsn> firsts;
  ASSIGN_OR_RETURN(parts, SegmentsFrom(log, watermark, &firsts));
  if (firsts.empty() || firsts.front().value() > watermark.value() + 1) {
    return absl::DataLossError(StrCat("push log: ", log.Describe(""), ": the records from LSN ",
                                      watermark.value() + 1, " on are not all there"));
  }
  size_t count = 0;
  for (; count < parts.size() && firsts[count] <= cut; ++count) {
    const bool holds_cut = count + 1 == parts.size() || firsts[count + 1] > cut;
    parts[count].closed = !holds_cut;
    ASSIGN_OR_RETURN(parts[count].bytes, holds_cut ? BytesUpTo(log, parts[count].name, cut)
                                                   : log.SizeBytes(parts[count].name));
  }
  parts.resize(count);
  return parts;
}

absl::StatusOr<std::vector<CheckpointFile>> PublishFiles(const std::string& directory,
                                                         const std::vector<FrozenFile>& rows,
                                                         const LogFiles& log,
                                                         const std::vector<LogPart>& log_parts,
                                                         PublishProgress* progress) {
  RETURN_IF_ERROR(CreateDirectories(FilesFolder(directory)));
  std::vector<Source> sources;
  for (const FrozenFile& file : rows) {
    ASSIGN_OR_RETURN(Source source, RowsSource(file));
    sources.push_back(std::move(source));
  }
  for (const LogPart& part : log_parts) sources.push_back(LogSource(log, part));
  for (const Source& source : sources) progress->bytes_total += source.bytes;

  ASSIGN_OR_RETURN(auto named, NamedFiles(directory));
  Publisher publisher(directory, std::move(named), progress);
  std::vector<CheckpointFile> files;
  for (const Source& source : sources) {
    ASSIGN_OR_RETURN(CheckpointFile file, publisher.Put(source));
    files.push_back(std::move(file));
  }
  RETURN_IF_ERROR(SyncDirectory(FilesFolder(directory)));
  return files;
}

absl::Status FetchCheckpointFile(const std::string& directory, const CheckpointFile& file,
                                 const std::string& path) {
  const std::string from = PathOf(directory, file.name);
  ASSIGN_OR_RETURN(const uint64_t bytes, SizeOf(from));
  if (bytes != file.bytes) {
    return absl::DataLossError(StrCat("checkpoint file ", from, " has ", bytes,
                                      " bytes; its manifest says ", file.bytes,
                                      ": restore from another checkpoint"));
  }
  ASSIGN_OR_RETURN(const UniqueFd in, OpenFile(from, O_RDONLY, "read"));
  ASSIGN_OR_RETURN(const UniqueFd out, OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, "write"));
  const Source source{"", file.original, "", bytes, [&](uint64_t offset, size_t wanted) {
                        return ReadPiece(in.get(), offset, wanted, from);
                      }};
  StreamChecksum checksum;
  const PublishProgress progress;
  RETURN_IF_ERROR(ForEachChunk(source, progress, [&](Chunk chunk, uint64_t offset) {
    checksum.Add(chunk);
    return WriteAll(out.get(), chunk, offset, path);
  }));
  if (checksum.value() == file.checksum) return absl::OkStatus();
  return absl::DataLossError(StrCat("checkpoint file ", from,
                                    " is damaged: its checksum does not match; restore from "
                                    "another checkpoint and check the disk"));
}

}  // namespace rowhouse

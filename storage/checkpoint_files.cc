#include "storage/checkpoint_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/checkpoint_manifest.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/checksum.h"
#include "storage/posix_file.h"
#include "storage/push_log_format.h"
#include "storage/segment_reader.h"

namespace rowhouse {
namespace {

namespace fs = std::filesystem;

constexpr size_t kChunkBytes = size_t{1} << 20;
constexpr size_t kManifestBytesMax = size_t{1} << 30;

using Chunk = std::span<const std::byte>;

// Something to publish: read from front to back, as often as needed.
struct Source {
  std::string kind;
  std::string original;
  std::string link_path;  // empty: copy
  uint64_t bytes = 0;
  std::optional<FileFacts> facts;  // of a file that never changes
  // Fills `piece` from `offset` on; the count is lower only at the end.
  std::function<absl::StatusOr<size_t>(uint64_t offset, std::span<std::byte> piece)> read;
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

absl::StatusOr<size_t> ReadPiece(int fd, uint64_t offset, std::span<std::byte> piece,
                                 const std::string& path) {
  size_t done = 0;
  while (done < piece.size()) {
    const ssize_t got =
        pread(fd, piece.data() + done, piece.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return PosixError("read", path);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

absl::StatusOr<struct stat> LookAt(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return PosixError("look at", path);
  return info;
}

absl::StatusOr<uint64_t> SizeOf(const std::string& path) {
  ASSIGN_OR_RETURN(const struct stat info, LookAt(path));
  return static_cast<uint64_t>(info.st_size);
}

// Open only while it is read: most files are not read.
auto ReaderOf(const std::string& path, uint64_t bytes) {
  return [path, bytes, fd = std::make_shared<UniqueFd>()](
             uint64_t offset, std::span<std::byte> piece) -> absl::StatusOr<size_t> {
    if (fd->get() < 0) {
      ASSIGN_OR_RETURN(*fd, OpenFile(path, O_RDONLY, "read"));
    }
    auto done = ReadPiece(fd->get(), offset, piece, path);
    if (!done.ok() || offset + *done >= bytes) *fd = UniqueFd();
    return done;
  };
}

absl::StatusOr<Source> FileSource(std::string kind, std::string original, const std::string& path,
                                  bool never_changes) {
  ASSIGN_OR_RETURN(const struct stat info, LookAt(path));
  const auto bytes = static_cast<uint64_t>(info.st_size);
  Source source{std::move(kind), std::move(original), "",
                bytes,           std::nullopt,        ReaderOf(path, bytes)};
  if (never_changes) {
    source.link_path = path;
    source.facts = FileFacts::Of(info, source.original);
  }
  return source;
}

absl::StatusOr<Source> RowsSource(const FrozenFile& file) {
  const bool is_rows = file.name.ends_with(".sst");
  return FileSource(is_rows ? "sst" : "db", "rows/" + file.name, file.path, is_rows);
}

absl::StatusOr<Source> LogSource(const LogFiles& log, const LogPart& part) {
  const std::string path = part.closed ? log.LinkPath(part.name) : "";
  if (!path.empty()) return FileSource("log", "log/" + part.name, path, true);
  return Source{"log",
                "log/" + part.name,
                "",
                part.bytes,
                std::nullopt,
                [&log, name = part.name](uint64_t offset,
                                         std::span<std::byte> piece) -> absl::StatusOr<size_t> {
                  ASSIGN_OR_RETURN(const std::vector<std::byte> bytes,
                                   log.Read(name, offset, piece.size()));
                  std::copy(bytes.begin(), bytes.end(), piece.begin());
                  return bytes.size();
                }};
}

// A pause as long as the work before it.
class Pace {
 public:
  void Rest() const {
    const auto worked = std::chrono::steady_clock::now() - began_;
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(worked, kPauseMax));
  }

 private:
  static constexpr std::chrono::milliseconds kPauseMax{100};
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

absl::Status ForEachChunk(const Source& source, PublishProgress* progress,
                          const std::function<absl::Status(Chunk, uint64_t offset)>& take) {
  std::vector<std::byte> buffer(std::min<uint64_t>(kChunkBytes, source.bytes));
  uint64_t offset = 0;
  while (offset < source.bytes) {
    if (progress->cancelled) return absl::CancelledError("publishing the checkpoint was given up");
    const Pace pace;
    const size_t wanted = std::min<uint64_t>(kChunkBytes, source.bytes - offset);
    const std::span<std::byte> piece = std::span(buffer).first(wanted);
    ASSIGN_OR_RETURN(const size_t got, source.read(offset, piece));
    if (got != wanted) {
      return absl::DataLossError(StrCat("checkpoint: ", source.original, " ends at ", offset + got,
                                        ", ", source.bytes, " bytes were expected"));
    }
    progress->bytes_read += got;
    RETURN_IF_ERROR(take(piece, offset));
    offset += wanted;
    if (offset < source.bytes) pace.Rest();
  }
  return absl::OkStatus();
}

// What the manifests of a directory vouch for, read only as far as is asked: what two checkpoints
// share is in the newest one. A manifest that cannot be read vouches for nothing.
class Vouchers {
 public:
  explicit Vouchers(std::string directory) : directory_(std::move(directory)) {}

  // Errors: the directory cannot be listed.
  absl::StatusOr<bool> Name(const std::string& name, PublishProgress* progress) {
    RETURN_IF_ERROR(List());
    while (!named_.contains(name) && !unread_.empty()) {
      ReadNext(progress);
    }
    return named_.contains(name);
  }

 private:
  absl::Status List() {
    if (std::exchange(listed_, true)) return absl::OkStatus();
    std::error_code error;
    fs::directory_iterator at(directory_, error);
    for (; !error && at != fs::directory_iterator(); at.increment(error)) {
      if (ParseManifestName(at->path().filename().string()) == Mark(0)) continue;
      unread_.push_back(at->path().string());
    }
    if (error)
      return absl::UnavailableError(StrCat("cannot list ", directory_, ": ", error.message()));
    std::sort(unread_.begin(), unread_.end());
    return absl::OkStatus();
  }

  void ReadNext(PublishProgress* progress) {
    const std::string path = unread_.back();
    unread_.pop_back();
    const absl::StatusOr<uint64_t> bytes = SizeOf(path);
    if (!bytes.ok() || *bytes > kManifestBytesMax) return;
    const absl::StatusOr<UniqueFd> fd = OpenFile(path, O_RDONLY, "read");
    if (!fd.ok()) return;
    std::vector<std::byte> text(*bytes);
    const auto got = ReadPiece(fd->get(), 0, text, path);
    if (!got.ok()) return;
    progress->bytes_read += *got;
    const auto manifest = DecodeManifest({reinterpret_cast<const char*>(text.data()), *got});
    if (!manifest.ok()) return;
    for (const ShardManifest& shard : manifest->shards) {
      for (const CheckpointFile& file : shard.files) named_.insert(file.name);
    }
  }

  const std::string directory_;
  bool listed_ = false;
  std::vector<std::string> unread_;  // the newest last
  std::set<std::string> named_;
};

class Publisher {
 public:
  Publisher(std::string directory, PublishProgress* progress, ChecksumCache* checksums)
      : directory_(std::move(directory)),
        vouchers_(directory_),
        progress_(progress),
        checksums_(checksums) {}

  absl::StatusOr<CheckpointFile> Put(const Source& source) {
    ASSIGN_OR_RETURN(const uint64_t checksum, ChecksumOf(source));
    const CheckpointFile file{absl::StrFormat("%s-%016x-%d", source.kind, checksum, source.bytes),
                              source.original, source.bytes, checksum};
    RETURN_IF_ERROR(Place(source, file));
    return file;
  }

 private:
  absl::StatusOr<uint64_t> ChecksumOf(const Source& source) {
    const bool remembers = checksums_ != nullptr && source.facts.has_value();
    if (remembers) {
      const std::optional<uint64_t> known = checksums_->Find(*source.facts);
      if (known.has_value()) return *known;
    }
    StreamChecksum checksum;
    RETURN_IF_ERROR(ForEachChunk(source, progress_, [&](Chunk chunk, uint64_t) {
      checksum.Add(chunk);
      return absl::OkStatus();
    }));
    if (remembers) checksums_->Note(*source.facts, checksum.value());
    return checksum.value();
  }

  absl::Status Place(const Source& source, const CheckpointFile& file) {
    if (progress_->cancelled) return absl::CancelledError("publishing the checkpoint was given up");
    const std::string path = PathOf(directory_, file.name);
    ASSIGN_OR_RETURN(const bool is_there, IsThere(path, file));
    if (is_there) {
      progress_->bytes_done += source.bytes;
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(RemoveLinked(path));
    if (!source.link_path.empty() && Linked(source.link_path, path)) {
      progress_->bytes_done += source.bytes;
      return absl::OkStatus();
    }
    return Copy(source, file.checksum, path);
  }

  absl::StatusOr<bool> IsThere(const std::string& path, const CheckpointFile& file) {
    const absl::StatusOr<uint64_t> size = SizeOf(path);
    if (!size.ok() || *size != file.bytes) return false;
    return vouchers_.Name(file.name, progress_);
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
  absl::Status Copy(const Source& source, uint64_t checksum, const std::string& path) {
    ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(path, O_WRONLY | O_CREAT, "write"));
    StreamChecksum copied;
    RETURN_IF_ERROR(ForEachChunk(source, progress_, [&](Chunk chunk, uint64_t offset) {
      progress_->bytes_done += chunk.size();
      progress_->bytes_written += chunk.size();
      copied.Add(chunk);
      return WriteAll(fd.get(), chunk, offset, path);
    }));
    if (copied.value() != checksum) return NotWhatItWas(source);
    if (ftruncate(fd.get(), static_cast<off_t>(source.bytes)) != 0) {
      return PosixError("truncate", path);
    }
    if (fsync(fd.get()) != 0) return PosixError("sync", path);
    // Nobody here reads the copy again: its pages are not to take the place of others.
    posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
    return absl::OkStatus();
  }

  absl::Status NotWhatItWas(const Source& source) {
    if (checksums_ != nullptr && source.facts.has_value()) checksums_->Forget(*source.facts);
    return absl::DataLossError(
        StrCat("checkpoint: ", source.link_path.empty() ? source.original : source.link_path,
               " is not what it was when its checksum was taken: ",
               "check the disk, then verify this server's data"));
  }

  const std::string directory_;
  Vouchers vouchers_;
  PublishProgress* const progress_;
  ChecksumCache* const checksums_;
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

absl::StatusOr<std::vector<CheckpointFile>> PublishFiles(
    const std::string& directory, const std::vector<FrozenFile>& rows, const LogFiles& log,
    const std::vector<LogPart>& log_parts, PublishProgress* progress, ChecksumCache* checksums) {
  RETURN_IF_ERROR(CreateDirectories(FilesFolder(directory)));
  std::vector<Source> sources;
  for (const FrozenFile& file : rows) {
    ASSIGN_OR_RETURN(Source source, RowsSource(file));
    sources.push_back(std::move(source));
  }
  for (const LogPart& part : log_parts) {
    ASSIGN_OR_RETURN(Source source, LogSource(log, part));
    sources.push_back(std::move(source));
  }
  for (const Source& source : sources) progress->bytes_total += source.bytes;

  Publisher publisher(directory, progress, checksums);
  std::vector<CheckpointFile> files;
  for (const Source& source : sources) {
    ASSIGN_OR_RETURN(CheckpointFile file, publisher.Put(source));
    files.push_back(std::move(file));
  }
  RETURN_IF_ERROR(SyncDirectory(FilesFolder(directory)));
  if (checksums != nullptr) checksums->EndRound();
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
  std::vector<std::byte> buffer(std::min<uint64_t>(kChunkBytes, bytes));
  StreamChecksum checksum;
  for (uint64_t offset = 0; offset < bytes;) {
    ASSIGN_OR_RETURN(const size_t got, ReadPiece(in.get(), offset, buffer, from));
    if (got == 0) break;  // shorter than it was: the checksum tells
    const Chunk chunk = std::span(buffer).first(got);
    checksum.Add(chunk);
    RETURN_IF_ERROR(WriteAll(out.get(), chunk, offset, path));
    offset += got;
  }
  if (checksum.value() == file.checksum) return absl::OkStatus();
  return absl::DataLossError(StrCat("checkpoint file ", from,
                                    " is damaged: its checksum does not match; restore from "
                                    "another checkpoint and check the disk"));
}

}  // namespace rowhouse

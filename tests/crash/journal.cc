#include "tests/crash/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace rowhouse {
namespace {

namespace fs = std::filesystem;

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool ParseAcknowledged(const std::string& line, AcknowledgedPart* part) {
  std::istringstream in(line);
  std::string kind;
  int64_t ns;
  uint64_t client, incarnation, sequence, lsn, checksum;
  uint32_t shard, duplicate;
  in >> kind >> ns >> client >> incarnation >> sequence >> shard >> lsn >> checksum >> duplicate;
  if (in.fail() || kind != "a") return false;
  *part = {ClientId(client),
           Incarnation(incarnation),
           Sequence(sequence),
           ShardId(shard),
           Lsn(lsn),
           duplicate != 0,
           checksum};
  return true;
}

}  // namespace

absl::StatusOr<JournalWriter> JournalWriter::Create(const std::string& path) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, "create"));
  return JournalWriter(path, std::move(fd));
}

absl::Status JournalWriter::NoteBegun(Sequence sequence) {
  return Append(absl::StrFormat("b %d %d\n", NowNs(), sequence.value()));
}

absl::Status JournalWriter::NoteAcknowledged(const AcknowledgedPart& part) {
  return Append(absl::StrFormat("a %d %d %d %d %d %d %d %d\n", NowNs(), part.client.value(),
                                part.incarnation.value(), part.sequence.value(), part.shard.value(),
                                part.lsn.value(), part.body_checksum, part.duplicate ? 1 : 0));
}

absl::Status JournalWriter::Append(const std::string& line) {
  const ssize_t written = write(fd_.get(), line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return absl::OkStatus();
  return PosixError("append to", path_);
}

absl::StatusOr<std::vector<AcknowledgedPart>> JournalReader::ReadNew() {
  RETURN_IF_ERROR(FindFiles());
  std::vector<AcknowledgedPart> parts;
  for (File& file : files_) RETURN_IF_ERROR(ReadFile(file, &parts));
  return parts;
}

absl::Status JournalReader::FindFiles() {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    const std::string path = entry.path().string();
    const auto is_known = [&](const File& file) { return file.path == path; };
    if (std::none_of(files_.begin(), files_.end(), is_known)) files_.push_back({path});
  }
  if (!error) return absl::OkStatus();
  return absl::UnavailableError(StrCat("cannot list ", directory_, ": ", error.message()));
}

absl::Status JournalReader::ReadFile(File& file, std::vector<AcknowledgedPart>* parts) {
  std::ifstream in(file.path, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(file.offset));
  std::string line;
  while (std::getline(in, line) && !in.eof()) {  // eof: the line has no end yet
    const uint64_t line_at = std::exchange(file.offset, file.offset + line.size() + 1);
    if (line.starts_with("b ")) continue;
    AcknowledgedPart& part = parts->emplace_back();
    if (!ParseAcknowledged(line, &part)) {
      return absl::DataLossError(
          StrCat(file.path, ", offset ", line_at, ": not a journal line: ", line));
    }
  }
  return absl::OkStatus();
}

}  // namespace rowhouse

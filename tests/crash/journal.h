// What a load process did, as lines of a file that survive its own kill -9: each is one write.
//
//   b <ns> <sequence>                                      a push is about to be made
//   a <ns> <client> <incarnation> <sequence> <shard> <lsn> <checksum> <duplicate>
//                                                          a part of it was acknowledged
//
// Numbers are decimal; <ns> is the monotonic clock, which all processes of a machine share. A last
// line without its end was torn by a kill and says nothing.
//
// Threading: JournalWriter: any thread. JournalReader: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/types.h"
#include "storage/posix_file.h"
#include "worker/client.h"

namespace rowhouse {

class JournalWriter {
 public:
  // Fails where the file exists: one file for each life of a process.
  static absl::StatusOr<JournalWriter> Create(const std::string& path);

  absl::Status NoteBegun(Sequence sequence);
  absl::Status NoteAcknowledged(const AcknowledgedPart& part);

 private:
  JournalWriter(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  absl::Status Append(const std::string& line);

  std::string path_;
  UniqueFd fd_;
};

// Reads all journals of a directory, again and again while they grow.
class JournalReader {
 public:
  explicit JournalReader(std::string directory) : directory_(std::move(directory)) {}

  // The parts acknowledged since the last call. Errors: a line that is none of the above.
  absl::StatusOr<std::vector<AcknowledgedPart>> ReadNew();

 private:
  struct File {
    std::string path;
    uint64_t offset = 0;
  };
  absl::Status FindFiles();
  absl::Status ReadFile(File& file, std::vector<AcknowledgedPart>* parts);

  const std::string directory_;
  std::vector<File> files_;
};

}  // namespace rowhouse

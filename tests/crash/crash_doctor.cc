// rowhouse-crash-doctor: damages the directory of a stopped shard in ways that only a broken
// server, or a newer one, would. The tests of the oracle and of the storage format show with it
// that they can fail.
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/config.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "storage/posix_file.h"
#include "storage/posix_log_files.h"
#include "storage/push_log.h"
#include "storage/push_log_format.h"
#include "storage/rocks_disk_tier.h"
#include "storage/row_codec.h"

namespace rowhouse {
namespace {

constexpr size_t kWeightsAt = 16;  // in a stored row: behind format, generation and LSN

// Rewrites the first row as `change` makes it.
template <typename Change>
absl::Status ChangeRow(const std::string& shard_dir, Change change) {
  ASSIGN_OR_RETURN(const auto disk, OpenRocksDiskTier(shard_dir + "/rows"));
  std::vector<DiskEntry> first;
  RETURN_IF_ERROR(disk->Scan("", MetaBegin(), [&](std::string_view key, std::string_view value) {
    if (first.empty()) first.push_back({std::string(key), std::string(value)});
    return absl::OkStatus();
  }));
  if (first.empty()) return absl::NotFoundError("the shard has no row");
  change(first.front().value);
  return disk->Ingest(first);
}

absl::Status FlipWeightBit(const std::string& shard_dir) {
  return ChangeRow(shard_dir, [](std::string& value) { value[kWeightsAt] ^= 1; });
}

absl::Status RaiseRowFormat(const std::string& shard_dir) {
  return ChangeRow(shard_dir, [](std::string& value) {
    const uint32_t format = kRowFormat + 1;
    std::memcpy(value.data(), &format, sizeof(format));
  });
}

// What a server would write that applies a retry again.
absl::Status RepeatLastPush(const std::string& shard_dir) {
  ASSIGN_OR_RETURN(const auto files, OpenPosixLogFiles(shard_dir + "/log"));
  LogRecord last;
  ASSIGN_OR_RETURN(const auto log,
                   PushLog::Open(files.get(), {}, Lsn(0), Lsn(0), [&](const LogRecord& record) {
                     if (record.type == RecordType::kPush) {
                       last = record;
                     }
                     return absl::OkStatus();
                   }));
  last.lsn = log->next_lsn();
  RETURN_IF_ERROR(log->Write({&last, 1}));
  return log->Sync();
}

absl::Status RaiseLogFormat(const std::string& shard_dir) {
  ASSIGN_OR_RETURN(const auto files, OpenPosixLogFiles(shard_dir + "/log"));
  ASSIGN_OR_RETURN(const auto names, files->List());
  const std::string path = files->Describe(names.at(names.size() - 1));
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(path, O_RDWR, "open"));
  SegmentHeader header;
  if (pread(fd.get(), &header, sizeof(header), 0) != sizeof(header))
    return PosixError("read", path);
  header.format = kLogFormat + 1;
  header.checksum = ChecksumOf(header);
  if (pwrite(fd.get(), &header, sizeof(header), 0) != sizeof(header)) {
    return PosixError("write", path);
  }
  return absl::OkStatus();
}

absl::Status Run(std::string_view command, const std::string& shard_dir) {
  if (command == "flip-weight-bit") return FlipWeightBit(shard_dir);
  if (command == "raise-row-format") return RaiseRowFormat(shard_dir);
  if (command == "repeat-last-push") return RepeatLastPush(shard_dir);
  return RaiseLogFormat(shard_dir);
}

int Main(int argc, char** argv) {
  std::string shard_dir;
  Settings settings;
  settings.Section("doctor", "Doctor");
  settings.Text("shard_dir", &shard_dir, "DIR", "Directory of a stopped shard; it gets damaged");
  const auto parsed = settings.ParseCommandLine(
      argc, argv,
      {"rowhouse-crash-doctor",
       ROWHOUSE_VERSION,
       "Damages a shard's directory as only a broken or a newer server would.",
       {{"flip-weight-bit", "The lowest bit of the first row's first weight"},
        {"raise-row-format", "The first row gets the format number after this build's"},
        {"repeat-last-push", "The log's last push, once more, under the next LSN"},
        {"raise-log-format", "The last segment gets the format number after this build's"}},
       {"rowhouse-crash-doctor flip-weight-bit --shard-dir copy/shard-0"}});
  if (!parsed.ok()) {
    std::cerr << parsed.status().message() << "\n";
    return 2;
  }
  if (parsed->answer) {
    std::cout << *parsed->answer;
    return 0;
  }
  const absl::Status status = Run(parsed->command, shard_dir);
  if (!status.ok()) std::cerr << status.message() << "\n";
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace rowhouse

int main(int argc, char** argv) { return rowhouse::Main(argc, argv); }

#include "tests/crash/log_shadow.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/text.h"
#include "storage/log_recovery.h"
#include "storage/posix_file.h"
#include "storage/posix_log_files.h"
#include "storage/push_log_format.h"

namespace rowhouse {
namespace {

// In LSN order. A log that is not there yet has none.
absl::StatusOr<std::vector<std::string>> SegmentsOf(const std::string& directory) {
  if (access(directory.c_str(), F_OK) != 0) return std::vector<std::string>();
  ASSIGN_OR_RETURN(const auto files, OpenPosixLogFiles(directory));
  ASSIGN_OR_RETURN(std::vector<std::string> names, files->List());
  std::erase_if(names, [](const std::string& name) { return !ParseSegmentName(name); });
  return names;
}

}  // namespace

absl::Status ReadWholeLog(const std::string& log, Lsn after, const PushLog::Replay& visit) {
  ASSIGN_OR_RETURN(const auto files, OpenPosixLogFiles(log));
  ASSIGN_OR_RETURN(const RecoveredLog read, RecoverLog(*files, after, Lsn(0), visit));
  if (read.cut_message.empty()) return absl::OkStatus();
  return absl::DataLossError(read.cut_message);
}

LogShadow::LogShadow(std::string log, std::string shadow)
    : log_(std::move(log)), growing_(shadow + "/growing"), whole_(shadow + "/whole") {}

absl::Status LogShadow::Follow() {
  RETURN_IF_ERROR(CreateDirectories(growing_));
  RETURN_IF_ERROR(CreateDirectories(whole_));
  ASSIGN_OR_RETURN(const auto names, SegmentsOf(log_));
  for (const std::string& name : names) {
    if (name <= last_linked_) continue;
    const std::string from = StrCat(log_, "/", name);
    if (link(from.c_str(), StrCat(growing_, "/", name).c_str()) != 0) {
      return PosixError("link", from);
    }
    last_linked_ = name;
  }
  return absl::OkStatus();
}

absl::Status LogShadow::Feed(bool to_the_end, const PushLog::Replay& visit) {
  RETURN_IF_ERROR(MoveWhole(to_the_end));
  RETURN_IF_ERROR(ReadWholeLog(whole_, fed_, [&](const LogRecord& record) {
    fed_ = record.lsn;
    return visit(record);
  }));
  return ForgetWhole();
}

absl::Status LogShadow::MoveWhole(bool to_the_end) {
  ASSIGN_OR_RETURN(auto names, SegmentsOf(growing_));
  if (!to_the_end && !names.empty()) names.pop_back();
  for (const std::string& name : names) {
    const std::string from = StrCat(growing_, "/", name);
    if (std::rename(from.c_str(), StrCat(whole_, "/", name).c_str()) != 0) {
      return PosixError("rename", from);
    }
  }
  return absl::OkStatus();
}

absl::Status LogShadow::ForgetWhole() {
  ASSIGN_OR_RETURN(const auto names, SegmentsOf(whole_));
  for (const std::string& name : names) {
    const std::string path = StrCat(whole_, "/", name);
    if (unlink(path.c_str()) != 0) return PosixError("remove", path);
  }
  return absl::OkStatus();
}

}  // namespace rowhouse

// Follows a push log that its server trims: hard links keep every segment until it was read here.
//
// A segment is read once a later one exists; then it is whole and changes no more.
//
// Threading: one thread.
// Errors: a segment that came and went unseen is a gap in the LSNs, which reading refuses.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/types.h"
#include "storage/push_log.h"

namespace rowhouse {

// Feeds every record above `after` of a log directory to `visit`. Errors: damage, a torn tail too.
absl::Status ReadWholeLog(const std::string& log, Lsn after, const PushLog::Replay& visit);

class LogShadow {
 public:
  // `shadow`: a directory of our own on the log's file system; made if it is not there.
  LogShadow(std::string log, std::string shadow);

  // Links segments that are new. Call far more often than segments live.
  absl::Status Follow();
  // Reads and forgets all segments but the last, or that one too.
  absl::Status Feed(bool to_the_end, const PushLog::Replay& visit);

 private:
  absl::Status MoveWhole(bool to_the_end);
  absl::Status ForgetWhole();

  const std::string log_;
  const std::string growing_;
  const std::string whole_;
  std::string last_linked_;
  Lsn fed_;
};

}  // namespace rowhouse

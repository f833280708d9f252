// Why a request, frame or connection was refused: the one list that the wire, the counters and the
// retry rule share.
//
// Errors are absl::Status values that carry a RefusalReason as payload, made by Refuse().
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "common/text.h"

namespace rowhouse {

// Values are part of the wire protocol: append, never renumber.
enum class RefusalReason : uint32_t {
  kNone = 0,
  kBadMagic = 1,
  kBadVersion = 2,
  kFrameTooLarge = 3,
  kBadChecksum = 4,
  kMalformed = 5,
  kUnknownOp = 6,
  kHelloExpected = 7,
  kWrongShard = 8,
  kWrongTimeline = 9,
  kStaleEpoch = 10,
  kUnknownTable = 11,
  kWrongGeneration = 12,
  kWrongDim = 13,
  kTableConflict = 14,
  kBadTableSpec = 15,
  kTooManyKeys = 16,
  kDuplicateKey = 17,
  kBadGradient = 18,
  kBadStep = 19,
  kNotOpened = 20,
  kFenced = 21,
  kBelowWindow = 22,
  kWindowFull = 23,
  kOverloaded = 24,
  kLogUnavailable = 25,
  kStopping = 26,
  kTooManyConnections = 27,
  kDeadline = 28,
  kDisconnected = 29,
  kTruncated = 30,
  kTooManyTables = 31,
  kTooManyClients = 32,
  kStaleMark = 33,
  kNoCheckpoint = 34,
  kDiskUnavailable = 35,
};
inline constexpr uint32_t kRefusalReasonCount = 36;

// Short snake_case name, as shown in counters: "wrong_dim". Unknown values give "unknown".
std::string_view RefusalReasonName(RefusalReason reason);

// The status for `reason`; its code follows from the reason alone.
absl::Status RefuseWith(RefusalReason reason, std::string_view message);

// Refuse(kWrongDim, "table '", name, "': dim is ", a, " on the server, ", b, " in this request")
template <typename... Parts>
absl::Status Refuse(RefusalReason reason, const Parts&... parts) {
  return RefuseWith(reason, StrCat(parts...));
}

// kNone for OK and for statuses that Refuse did not make.
RefusalReason ReasonOf(const absl::Status& status);

// The same status, sharing no memory with the original: what a status should be when it goes to
// another thread. Abseil counts the sharers of a status inside its library, which Debian does not
// build for the thread sanitizer, so sharing one between threads looks like a race there.
absl::Status Detached(const absl::Status& status);

// The one place that decides whether sending the same request again can help.
bool IsRetryable(const absl::Status& status);

}  // namespace rowhouse

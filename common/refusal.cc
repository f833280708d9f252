#include "common/refusal.h"

#include <array>
#include <cstring>
#include <string>

#include "absl/strings/cord.h"

namespace rowhouse {
namespace {

constexpr std::string_view kPayloadUrl = "rowhouse/refusal";

struct Entry {
  std::string_view name;
  absl::StatusCode code;
};

constexpr std::array<Entry, kRefusalReasonCount> kEntries = {{
    {"none", absl::StatusCode::kUnknown},
    {"bad_magic", absl::StatusCode::kInvalidArgument},
    {"bad_version", absl::StatusCode::kUnimplemented},
    {"frame_too_large", absl::StatusCode::kInvalidArgument},
    {"bad_checksum", absl::StatusCode::kDataLoss},
    {"malformed", absl::StatusCode::kInvalidArgument},
    {"unknown_op", absl::StatusCode::kUnimplemented},
    {"hello_expected", absl::StatusCode::kFailedPrecondition},
    {"wrong_shard", absl::StatusCode::kFailedPrecondition},
    {"wrong_timeline", absl::StatusCode::kFailedPrecondition},
    {"stale_epoch", absl::StatusCode::kFailedPrecondition},
    {"unknown_table", absl::StatusCode::kNotFound},
    {"wrong_generation", absl::StatusCode::kFailedPrecondition},
    {"wrong_dim", absl::StatusCode::kInvalidArgument},
    {"table_conflict", absl::StatusCode::kAlreadyExists},
    {"bad_table_spec", absl::StatusCode::kInvalidArgument},
    {"too_many_keys", absl::StatusCode::kInvalidArgument},
    {"duplicate_key", absl::StatusCode::kInvalidArgument},
    {"bad_gradient", absl::StatusCode::kInvalidArgument},
    {"bad_step", absl::StatusCode::kInvalidArgument},
    {"not_opened", absl::StatusCode::kFailedPrecondition},
    {"fenced", absl::StatusCode::kFailedPrecondition},
    {"below_window", absl::StatusCode::kOutOfRange},
    {"window_full", absl::StatusCode::kResourceExhausted},
    {"overloaded", absl::StatusCode::kUnavailable},
    {"log_unavailable", absl::StatusCode::kUnavailable},
    {"stopping", absl::StatusCode::kUnavailable},
    {"too_many_connections", absl::StatusCode::kUnavailable},
    {"deadline", absl::StatusCode::kDeadlineExceeded},
    {"disconnected", absl::StatusCode::kUnavailable},
    {"truncated", absl::StatusCode::kInvalidArgument},
    {"too_many_tables", absl::StatusCode::kResourceExhausted},
    {"too_many_clients", absl::StatusCode::kResourceExhausted},
    {"stale_mark", absl::StatusCode::kFailedPrecondition},
    {"no_checkpoint", absl::StatusCode::kNotFound},
    {"disk_unavailable", absl::StatusCode::kUnavailable},
}};

}  // namespace

std::string_view RefusalReasonName(RefusalReason reason) {
  const auto i = static_cast<uint32_t>(reason);
  return i < kRefusalReasonCount ? kEntries[i].name : "unknown";
}

absl::Status RefuseWith(RefusalReason reason, std::string_view message) {
  const auto i = static_cast<uint32_t>(reason);
  const absl::StatusCode code =
      i < kRefusalReasonCount ? kEntries[i].code : absl::StatusCode::kUnknown;
  absl::Status status(code, {message.data(), message.size()});
  status.SetPayload({kPayloadUrl.data(), kPayloadUrl.size()},
                    absl::Cord(std::string(reinterpret_cast<const char*>(&i), sizeof(i))));
  return status;
}

RefusalReason ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload({kPayloadUrl.data(), kPayloadUrl.size()});
  if (!payload.has_value() || payload->size() != sizeof(uint32_t)) return RefusalReason::kNone;
  const std::string bytes(*payload);
  uint32_t i = 0;
  std::memcpy(&i, bytes.data(), sizeof(i));
  return static_cast<RefusalReason>(i);
}

absl::Status Detached(const absl::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status copy(status.code(), status.message());
  status.ForEachPayload([&copy](absl::string_view url, const absl::Cord& payload) {
    copy.SetPayload(url, absl::Cord(std::string(payload)));
  });
  return copy;
}

bool IsRetryable(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case RefusalReason::kOverloaded:
    case RefusalReason::kLogUnavailable:
    case RefusalReason::kDiskUnavailable:
    case RefusalReason::kStopping:
    case RefusalReason::kTooManyConnections:
    case RefusalReason::kDisconnected:
    case RefusalReason::kBadChecksum:
      return true;
    default:
      return false;
  }
}

}  // namespace rowhouse

#include "worker/client/call_checks.h"

#include "common/gradient_bound.h"
#include "common/refusal.h"
#include "common/status_macros.h"
#include "worker/client/shard_split.h"

namespace rowhouse {
namespace {

absl::Status CheckPart(std::string_view call, std::string_view array, const Table& table,
                       uint64_t key_count, uint64_t float_count, const TableNamer& name) {
  if (table.dim < 1 || table.dim > kDimMax) {
    return Refuse(RefusalReason::kWrongDim, call, ": ", name(table.id), ": dim is ", table.dim,
                  "; it must be 1 to ", kDimMax);
  }
  if (key_count > kSplitKeysMax) {
    return Refuse(RefusalReason::kTooManyKeys, call, ": ", name(table.id), ": ", key_count,
                  " keys; one call may have ", kSplitKeysMax, " of one table");
  }
  if (float_count != key_count * table.dim) {
    return absl::InvalidArgumentError(StrCat(call, ": ", name(table.id), ": `", array, "` has ",
                                             float_count, " elements; ", key_count, " keys of dim ",
                                             table.dim, " need ", key_count * table.dim));
  }
  return absl::OkStatus();
}

template <typename Part>
absl::Status CheckDistinctTables(std::string_view call, std::span<const Part> parts,
                                 const TableNamer& name) {
  for (size_t i = 0; i < parts.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (parts[i].table.id != parts[j].table.id) continue;
      return absl::InvalidArgumentError(StrCat(call, ": ", name(parts[i].table.id), " is in parts ",
                                               j, " and ", i,
                                               "; a call takes one part for each table"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNumber(std::string_view option, uint64_t value, uint64_t low, uint64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      StrCat("client option ", option, " is ", value, "; it must be ", low, " to ", high));
}

}  // namespace

absl::Status CheckParts(std::span<const PullPart> parts, const TableNamer& name) {
  for (const PullPart& part : parts) {
    RETURN_IF_ERROR(
        CheckPart("pull", "rows", part.table, part.keys.size(), part.rows.size(), name));
  }
  return CheckDistinctTables("pull", parts, name);
}

absl::Status CheckParts(std::span<const PushPart> parts, const TableNamer& name) {
  for (const PushPart& part : parts) {
    RETURN_IF_ERROR(
        CheckPart("push", "gradients", part.table, part.keys.size(), part.gradients.size(), name));
  }
  return CheckDistinctTables("push", parts, name);
}

absl::Status CheckGradients(std::span<const PushPart> parts, const TableNamer& name) {
  for (const PushPart& part : parts) {
    const size_t at = FirstUnfitGradient(part.gradients);
    if (at == part.gradients.size()) continue;
    return Refuse(RefusalReason::kBadGradient, "push: ", name(part.table.id), ": key ",
                  part.keys[at / part.table.dim].value(), ", column ", at % part.table.dim,
                  ": the gradient is ", part.gradients[at], "; it must be finite and within +-",
                  kGradientAbsMax, "; the push was sent to no shard at all");
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(const ClientOptions& options) {
  constexpr uint32_t kDayMs = 24 * 3600 * 1000;
  if (options.servers.empty()) {
    return absl::InvalidArgumentError("client option servers is empty; name at least one server");
  }
  RETURN_IF_ERROR(CheckNumber("connect_timeout_ms", options.connect_timeout_ms, 1, kDayMs));
  RETURN_IF_ERROR(CheckNumber("request_timeout_ms", options.request_timeout_ms, 1, kDayMs));
  RETURN_IF_ERROR(CheckNumber("lease_ms", options.lease_ms, kLeaseMsMin, kLeaseMsMax));
  RETURN_IF_ERROR(CheckNumber("leave_timeout_ms", options.leave_timeout_ms, 0, kDayMs));
  RETURN_IF_ERROR(CheckNumber("backoff_max_ms", options.backoff_max_ms, 1, kDayMs));
  RETURN_IF_ERROR(CheckNumber("backoff_min_ms", options.backoff_min_ms, 1, options.backoff_max_ms));
  RETURN_IF_ERROR(
      CheckNumber("requests_in_flight_max", options.requests_in_flight_max, 1, 1 << 16));
  // A frame's size is a 32-bit number.
  return CheckNumber("frame_bytes_max", options.frame_bytes_max, 4096, 0xfffffff0u);
}

}  // namespace rowhouse

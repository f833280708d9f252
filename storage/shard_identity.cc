#include "storage/shard_identity.h"

#include <array>
#include <charconv>
#include <optional>
#include <span>

#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/frame.h"

namespace rowhouse {
namespace {

constexpr std::string_view kTitle = "rowhouse data directory";
constexpr uint32_t kFormat = 1;

std::string Lines(const ShardIdentity& identity) {
  return absl::StrFormat(
      "%s\nformat = %d\ntimeline = 0x%016x\nshard = %d\nshard_count = %d\nslot_bits = %d\n",
      std::string(kTitle), kFormat, identity.timeline.value(), identity.shard.value(),
      identity.shard_count, identity.slot_bits);
}

uint64_t ChecksumOf(std::string_view text) {
  return Checksum(std::as_bytes(std::span(text.data(), text.size())));
}

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(StrCat("it is damaged: ", what));
}

// Takes the next line off `text`, without its end.
std::optional<std::string_view> TakeLine(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

// "name = 12" or "name = 0xff".
template <typename T>
absl::StatusOr<T> TakeNumber(std::string_view& text, std::string_view name) {
  const std::optional<std::string_view> line = TakeLine(text);
  const std::string start = StrCat(name, " = ");
  if (!line.has_value() || !line->starts_with(start)) {
    return Damaged(StrCat("'", name, "' is missing"));
  }
  std::string_view digits = line->substr(start.size());
  const bool is_hex = digits.starts_with("0x");
  if (is_hex) digits.remove_prefix(2);
  T value = 0;
  const char* const end = digits.data() + digits.size();
  const auto result = std::from_chars(digits.data(), end, value, is_hex ? 16 : 10);
  if (result.ec != std::errc() || result.ptr != end) {
    return Damaged(StrCat("'", *line, "' is not a number in range"));
  }
  return value;
}

absl::Status CheckSum(std::string_view whole, std::string_view rest) {
  const uint64_t actual = ChecksumOf(whole.substr(0, whole.size() - rest.size()));
  ASSIGN_OR_RETURN(const uint64_t stated, TakeNumber<uint64_t>(rest, "checksum"));
  if (stated != actual) return Damaged("its checksum does not match");
  if (!rest.empty()) return Damaged("something follows its last line");
  return absl::OkStatus();
}

}  // namespace

std::string EncodeIdentity(const ShardIdentity& identity) {
  const std::string lines = Lines(identity);
  return absl::StrFormat("%schecksum = 0x%016x\n", lines, ChecksumOf(lines));
}

absl::StatusOr<ShardIdentity> DecodeIdentity(std::string_view text) {
  const std::string_view whole = text;
  if (TakeLine(text) != kTitle) return Damaged(StrCat("it does not begin with '", kTitle, "'"));
  ASSIGN_OR_RETURN(const uint32_t format, TakeNumber<uint32_t>(text, "format"));
  if (format > kFormat) {
    return absl::UnimplementedError(StrCat("it has format ", format, ", this build reads up to ",
                                           kFormat, ": run the newer Rowhouse that wrote it"));
  }
  if (format == 0) return Damaged("format 0 never existed");
  ASSIGN_OR_RETURN(const uint64_t timeline, TakeNumber<uint64_t>(text, "timeline"));
  ASSIGN_OR_RETURN(const uint32_t shard, TakeNumber<uint32_t>(text, "shard"));
  ASSIGN_OR_RETURN(const uint32_t shard_count, TakeNumber<uint32_t>(text, "shard_count"));
  ASSIGN_OR_RETURN(const uint32_t slot_bits, TakeNumber<uint32_t>(text, "slot_bits"));
  RETURN_IF_ERROR(CheckSum(whole, text));
  return ShardIdentity{Timeline(timeline), ShardId(shard), shard_count, slot_bits};
}

}  // namespace rowhouse

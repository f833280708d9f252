#include "common/wire/frame.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "common/refusal.h"
#include "common/text.h"

namespace rowhouse {
namespace {

static_assert(std::endian::native == std::endian::little, "wire arrays are raw little-endian");

constexpr size_t kCheckedHeaderBytes = offsetof(FrameHeader, header_checksum);

Decoded Bad(absl::Status status) {
  Decoded decoded;
  decoded.result = DecodeResult::kBad;
  decoded.status = std::move(status);
  return decoded;
}

bool MagicFits(std::span<const std::byte> input) {
  if (input.empty()) return true;
  return std::memcmp(input.data(), &kFrameMagic, std::min(input.size(), sizeof(kFrameMagic))) == 0;
}

absl::Status CheckHeader(const FrameHeader& header, size_t frame_bytes_max) {
  if (Checksum(std::as_bytes(std::span(&header, 1)).first(kCheckedHeaderBytes)) !=
      header.header_checksum) {
    return Refuse(RefusalReason::kBadChecksum, "frame header: checksum does not match");
  }
  if (header.version != kFrameVersion) {
    return Refuse(RefusalReason::kBadVersion, "frame of version ", header.version,
                  "; this build reads version ", kFrameVersion);
  }
  if (FrameBytes(header.body_bytes) > frame_bytes_max) {
    return Refuse(RefusalReason::kFrameTooLarge, "frame of ", FrameBytes(header.body_bytes),
                  " bytes; frame_bytes_max is ", frame_bytes_max,
                  " here: send smaller batches or raise it");
  }
  if (header.flags != 0) {
    return Refuse(RefusalReason::kMalformed, "frame flags ", header.flags, " are not known here");
  }
  return absl::OkStatus();
}

}  // namespace

FrameHeader MakeFrameHeader(Op op, uint64_t request_id, size_t body_bytes, uint64_t body_checksum) {
  FrameHeader header;
  header.op = static_cast<uint16_t>(op);
  header.body_bytes = static_cast<uint32_t>(body_bytes);
  header.request_id = request_id;
  header.body_checksum = body_checksum;
  header.header_checksum =
      Checksum(std::as_bytes(std::span(&header, 1)).first(kCheckedHeaderBytes));
  return header;
}

Decoded DecodeHeader(std::span<const std::byte> input, size_t frame_bytes_max) {
  if (!MagicFits(input)) {
    const std::string_view head(reinterpret_cast<const char*>(input.data()),
                                std::min<size_t>(input.size(), 4));
    return Bad(Refuse(RefusalReason::kBadMagic,
                      "this is not the Rowhouse protocol: frames begin "
                      "with \"RWHS\", these bytes with \"",
                      absl::CHexEscape(ForAbsl(head)), "\""));
  }
  Decoded decoded;
  if (input.size() < kFrameHeaderBytes) return decoded;
  FrameHeader& header = decoded.frame.header;
  std::memcpy(&header, input.data(), sizeof(header));
  if (absl::Status status = CheckHeader(header, frame_bytes_max); !status.ok()) return Bad(status);

  decoded.frame_bytes = FrameBytes(header.body_bytes);
  decoded.result = DecodeResult::kGood;
  return decoded;
}

absl::Status CheckBody(const FrameHeader& header, std::span<const std::byte> frame,
                       uint64_t body_checksum) {
  if (body_checksum != header.body_checksum) {
    return Refuse(RefusalReason::kBadChecksum, "frame body of ", header.body_bytes,
                  " bytes: checksum does not match");
  }
  const auto padding = frame.subspan(kFrameHeaderBytes + header.body_bytes,
                                     PaddedBytes(header.body_bytes) - header.body_bytes);
  if (std::any_of(padding.begin(), padding.end(), [](std::byte b) { return b != std::byte{}; })) {
    return Refuse(RefusalReason::kMalformed, "frame padding is not zero");
  }
  return absl::OkStatus();
}

Decoded DecodeFrame(std::span<const std::byte> input, size_t frame_bytes_max) {
  Decoded decoded = DecodeHeader(input, frame_bytes_max);
  if (decoded.result != DecodeResult::kGood) return decoded;
  if (input.size() < decoded.frame_bytes) {
    decoded.result = DecodeResult::kNeedMore;
    return decoded;
  }
  const FrameHeader& header = decoded.frame.header;
  decoded.frame.body = input.subspan(kFrameHeaderBytes, header.body_bytes);
  absl::Status body =
      CheckBody(header, input.first(decoded.frame_bytes), Checksum(decoded.frame.body));
  return body.ok() ? decoded : Bad(std::move(body));
}

}  // namespace rowhouse

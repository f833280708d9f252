#include "common/wire/frame_builder.h"

#include <cstring>
#include <string>
#include <utility>

#include "common/refusal.h"

namespace rowhouse {

OutFrame FrameBuilder::Finish(Op op, uint64_t request_id) && {
  const uint64_t checksum = Checksum(body());
  return std::move(*this).Finish(op, request_id, checksum);
}

OutFrame FrameBuilder::Finish(Op op, uint64_t request_id, uint64_t body_checksum) && {
  const FrameHeader header = MakeFrameHeader(op, request_id, body_bytes_, body_checksum);
  std::memcpy(base(), &header, sizeof(header));
  std::memset(base() + kFrameHeaderBytes + body_bytes_, 0, PaddedBytes(body_bytes_) - body_bytes_);
  return {std::move(memory_.words), FrameBytes(body_bytes_), memory_.capacity_bytes};
}

OutFrame MakeFrame(Op op, uint64_t request_id, std::span<const std::byte> body) {
  FrameBuilder frame(body.size());
  if (!body.empty()) std::memcpy(frame.body().data(), body.data(), body.size());
  return std::move(frame).Finish(op, request_id);
}

OutFrame MakeErrorFrame(uint64_t request_id, const absl::Status& status) {
  ErrorAnswer answer;
  answer.reason = ReasonOf(status);
  answer.message = std::string(status.message());
  return MakeControlFrame(Op::kError, request_id, answer);
}

}  // namespace rowhouse

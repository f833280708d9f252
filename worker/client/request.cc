#include "worker/client/request.h"

#include <glog/logging.h>

#include <cstring>
#include <utility>

namespace rowhouse {

std::vector<std::byte> HeadWithRoom(std::span<const std::byte> body_begin) {
  std::vector<std::byte> head(kFrameHeaderBytes + body_begin.size());
  if (!body_begin.empty()) {
    std::memcpy(head.data() + kFrameHeaderBytes, body_begin.data(), body_begin.size());
  }
  return head;
}

void SealFrame(Request* request, uint64_t id) {
  std::vector<std::span<const std::byte>> body;
  body.reserve(request->pieces.size() + 1);
  body.push_back(std::span(request->head).subspan(kFrameHeaderBytes));
  body.insert(body.end(), request->pieces.begin(), request->pieces.end());
  size_t bytes = 0;
  for (const auto piece : body) bytes += piece.size();
  CHECK_LE(bytes, UINT32_MAX);
  request->id = id;
  request->padding_bytes = PaddedBytes(bytes) - bytes;
  const FrameHeader header = MakeFrameHeader(request->op, id, bytes, Checksum(body));
  std::memcpy(request->head.data(), &header, sizeof(header));
}

void FinishRequest(Call* call, Request* request, absl::Status result) {
  if (request->state == RequestState::kDone) return;
  request->state = RequestState::kDone;
  request->result = std::move(result);
  if (call->error.ok()) call->error = request->result;
  CHECK_GT(call->unanswered, 0u);
  if (--call->unanswered > 0) return;
  call->ended(*call);
}

}  // namespace rowhouse

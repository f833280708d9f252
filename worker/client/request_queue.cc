#include "worker/client/request_queue.h"

#include <algorithm>
#include <utility>

namespace rowhouse {

void RequestQueue::Add(std::shared_ptr<Call> call, Request* request) {
  requests_.push_back({std::move(call), request});
}

std::vector<QueuedRequest> RequestQueue::TakeForWriting(size_t pieces_max,
                                                        std::vector<QueuedRequest> room) {
  std::vector<QueuedRequest> batch = std::move(room);
  batch.clear();
  size_t pieces = 0;
  while (sent_count_ < requests_.size()) {
    const QueuedRequest& next = requests_[sent_count_];
    pieces += next.request->pieces.size() + 2;  // head and padding
    if (!batch.empty() && pieces > pieces_max) break;
    next.request->state = RequestState::kWriting;
    sent_id_max_ = std::max(sent_id_max_, next.request->id);
    batch.push_back(next);
    ++sent_count_;
  }
  return batch;
}

void RequestQueue::Written(const std::vector<QueuedRequest>& requests) {
  for (const QueuedRequest& queued : requests) {
    Request* request = queued.request;
    if (request->state != RequestState::kWriting) continue;
    request->state = RequestState::kSent;
    if (request->answered_early) Answer(request, std::move(request->early_result));
  }
}

Request* RequestQueue::FindSent(uint64_t id) {
  const auto end = requests_.begin() + static_cast<ptrdiff_t>(sent_count_);
  const auto found = std::lower_bound(
      requests_.begin(), end, id,
      [](const QueuedRequest& queued, uint64_t wanted) { return queued.request->id < wanted; });
  if (found == end || found->request->id != id || found->request->answered_early) return nullptr;
  return found->request;
}

void RequestQueue::Answer(Request* request, absl::Status result) {
  if (request->state == RequestState::kWriting) {
    request->answered_early = true;
    request->early_result = std::move(result);
    return;
  }
  const auto at = std::find_if(requests_.begin(), requests_.end(),
                               [&](const auto& queued) { return queued.request == request; });
  const std::shared_ptr<Call> call = at->call;
  requests_.erase(at);
  --sent_count_;
  FinishRequest(call.get(), request, std::move(result));
}

void RequestQueue::Rewind() {
  std::vector<QueuedRequest> early;
  for (size_t i = 0; i < sent_count_; ++i) {
    Request* request = requests_[i].request;
    if (request->answered_early) early.push_back(requests_[i]);
    request->state = request->answered_early ? RequestState::kSent : RequestState::kUnsent;
  }
  for (const QueuedRequest& queued : early) {
    Answer(queued.request, std::move(queued.request->early_result));
  }
  sent_count_ = 0;
}

void RequestQueue::Drop(const Call& call) {
  for (size_t i = requests_.size(); i-- > 0;) {
    if (requests_[i].call.get() != &call) continue;
    requests_.erase(requests_.begin() + static_cast<ptrdiff_t>(i));
    if (i < sent_count_) --sent_count_;
  }
}

bool RequestQueue::IsWriting(const Call& call) const {
  return std::any_of(requests_.begin(), requests_.end(), [&](const QueuedRequest& queued) {
    return queued.call.get() == &call && queued.request->state == RequestState::kWriting;
  });
}

}  // namespace rowhouse

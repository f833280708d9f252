#include "ps/waiting_requests.h"

#include <algorithm>
#include <utility>

namespace rowhouse {

WaitingRequest* WaitingRequests::Add(SessionId session, const ReceivedFrame& frame,
                                     uint64_t arrival_ms) {
  Queue& queue = sessions_[session];
  const bool free = std::all_of(queue.begin(), queue.end(),
                                [](const auto& ahead) { return NamesRows(ahead->frame.op()); });
  auto request = std::make_unique<WaitingRequest>();
  request->id = ++last_id_;
  request->session = session;
  request->frame = frame;
  request->arrival_ms = arrival_ms;
  by_id_.emplace(request->id, request.get());
  if (NamesRows(frame.op())) {
    if (free) to_begin_.push_back(request->id);
  } else {
    request->begun = true;  // there is nothing to load
  }
  queue.push_back(std::move(request));
  return queue.back().get();
}

WaitingRequest* WaitingRequests::Find(uint64_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

WaitingRequest* WaitingRequests::First(SessionId session) const {
  const auto found = sessions_.find(session);
  return found == sessions_.end() ? nullptr : found->second.front().get();
}

std::unique_ptr<WaitingRequest> WaitingRequests::TakeFirst(SessionId session) {
  const auto found = sessions_.find(session);
  Queue& queue = found->second;
  std::unique_ptr<WaitingRequest> first = std::move(queue.front());
  queue.pop_front();
  by_id_.erase(first->id);
  if (!NamesRows(first->frame.op())) OfferBehindControl(queue);
  if (queue.empty()) sessions_.erase(found);
  return first;
}

void WaitingRequests::OfferBehindControl(const Queue& queue) {
  for (const auto& request : queue) {
    if (!NamesRows(request->frame.op())) return;
    to_begin_.push_back(request->id);
  }
}

WaitingRequest* WaitingRequests::NextToBegin() {
  while (!to_begin_.empty()) {
    WaitingRequest* const request = Find(to_begin_.front());
    if (request != nullptr && !request->begun) return request;
    to_begin_.pop_front();
  }
  return nullptr;
}

}  // namespace rowhouse

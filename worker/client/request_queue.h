// The unanswered requests of one connection, in the order in which they must take effect.
//
// A pure state machine: it is told what was written, answered or lost, and says what to send.
//
// Threading: one thread, or the caller's lock.
// Ownership: shares each request with its call.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "worker/client/request.h"

namespace rowhouse {

struct QueuedRequest {
  std::shared_ptr<Call> call;
  Request* request = nullptr;  // of the call
};

class RequestQueue {
 public:
  // REQUIRES: ids rise.
  void Add(std::shared_ptr<Call> call, Request* request);

  // The next requests to be written, in order, at most `pieces_max` pieces unless the first alone
  // has more. They count as being written until Written or Rewind. The list is made in the memory
  // of `room`.
  std::vector<QueuedRequest> TakeForWriting(size_t pieces_max,
                                            std::vector<QueuedRequest> room = {});
  // The bytes of these requests are no longer needed. Finishes those that were answered meanwhile.
  void Written(const std::vector<QueuedRequest>& requests);

  // The request that an answer with this id is for, or null: none was sent, or it is done.
  Request* FindSent(uint64_t id);
  // Whether a request with this id, or a later one, was ever handed out for writing.
  bool WasSent(uint64_t id) const { return id != 0 && id <= sent_id_max_; }
  // An answer's result for a request that FindSent found.
  void Answer(Request* request, absl::Status result);

  // The connection is gone: all that is unanswered is to be sent again, in the same order.
  // REQUIRES: nobody writes any more.
  void Rewind();

  // Drops a call's requests. REQUIRES: none of them is being written.
  void Drop(const Call& call);
  // Whether a request of this call is being written now.
  bool IsWriting(const Call& call) const;

  bool empty() const { return requests_.empty(); }

 private:
  std::vector<QueuedRequest> requests_;  // few, so taking from its front moves little
  size_t sent_count_ = 0;  // requests at the front that are being or have been written
  uint64_t sent_id_max_ = 0;
};

}  // namespace rowhouse

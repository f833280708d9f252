// Requests that cannot be done at once because rows must be read first, and those that their
// session sent behind them.
//
// Requests of a session are done in the order sent; the loads of all of them overlap. What reads or
// changes no rows (a control request) is not begun before everything ahead of it in its session is
// done, and nothing behind it is begun before it.
//
// Threading: one shard, one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "common/table_spec.h"
#include "common/types.h"
#include "common/wire/frame.h"
#include "ps/effects.h"
#include "ps/residency.h"

namespace rowhouse {

struct WaitingRequest {
  uint64_t id = 0;  // from 1, in order of arrival
  SessionId session;
  ReceivedFrame frame;
  uint64_t arrival_ms = 0;

  // Once it was checked:
  std::vector<RowsOfTable> rows;
  Durability durability = Durability::kMemory;  // of a push

  bool begun = false;
  uint64_t pin = 0;    // 0: none
  uint64_t loads = 0;  // still to arrive
  absl::Status failure;

  bool ready() const { return begun && (loads == 0 || !failure.ok()); }
};

class WaitingRequests {
 public:
  // Whether requests of the session must queue.
  bool Has(SessionId session) const { return sessions_.contains(session); }
  WaitingRequest* Add(SessionId session, const ReceivedFrame& frame, uint64_t arrival_ms);
  WaitingRequest* Find(uint64_t id) const;
  // nullptr where the session has none.
  WaitingRequest* First(SessionId session) const;
  // Takes the first one out.
  std::unique_ptr<WaitingRequest> TakeFirst(SessionId session);

  // The oldest one that may be begun; nullptr where there is none.
  WaitingRequest* NextToBegin();

  size_t size() const { return by_id_.size(); }

 private:
  using Queue = std::deque<std::unique_ptr<WaitingRequest>>;
  void OfferBehindControl(const Queue& queue);

  std::unordered_map<SessionId, Queue> sessions_;
  std::unordered_map<uint64_t, WaitingRequest*> by_id_;
  std::deque<uint64_t> to_begin_;  // some of them may be gone
  uint64_t last_id_ = 0;
};

// Whether the operation reads or changes rows.
constexpr bool NamesRows(Op op) { return op == Op::kPull || op == Op::kPush; }

}  // namespace rowhouse

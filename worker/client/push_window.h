// Numbers of a client's pushes, and below which of them nothing will ever be sent again.
//
// Threading: one thread, or the caller's lock.
// Cost: Finish is O(log n) in the numbers that are out.
#pragma once

#include <set>

#include "common/types.h"

namespace rowhouse {

class PushWindow {
 public:
  // The next number, from 1; it is out until Finish.
  Sequence Begin();

  // Acknowledged by every shard, or given up: never to be sent again.
  void Finish(Sequence sequence);

  // The lowest number that may still be sent.
  Sequence unretried_below() const;

 private:
  Sequence next_{1};
  std::set<Sequence> out_;
};

}  // namespace rowhouse

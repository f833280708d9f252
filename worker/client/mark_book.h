// Which checkpoint mark this client's pushes bear, and which mark it can close.
//
// Mark k is closed once all pushes marked less than k have ended and none will be begun. A push
// that ended without an answer may still lie in a connection that was lost. It does no harm there:
// on the connection that goes on, the closing comes behind it, and a shard refuses pushes marked
// less than what their client has closed.
//
// Threading: one thread, or the caller's lock.
// Cost: O(log n) in the marks that open pushes bear, of which there are hardly ever two.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "common/types.h"

namespace rowhouse {

// A client's marks count from here, also where no checkpoint was ever announced: a push that bears
// 0 takes the mark of its shard, and a step over two shards could come to bear two.
inline constexpr Mark kFirstMark{1};

class MarkBook {
 public:
  // `registered`: every shard knows the client under this mark or a higher one.
  // `known`: the highest that any shard has told.
  MarkBook(Mark registered, Mark known);

  // A shard told this mark.
  void Learn(Mark mark);

  // The mark of a push that begins now; it is open until EndPush with it.
  Mark BeginPush();
  void EndPush(Mark mark);

  // The mark that is to be closed on every shard now, if there is one: each is given once, unless
  // closing it failed. The caller says Closed or CloseFailed at the end.
  std::optional<Mark> TakeClosable();
  void Closed(Mark mark);
  void CloseFailed(Mark mark);

  Mark known() const { return known_; }
  Mark closed() const { return closed_; }

 private:
  Mark known_;
  Mark closed_;                    // on every shard
  Mark closing_;                   // the highest that was given out, or closed_
  std::map<Mark, uint64_t> open_;  // pushes, by their mark
};

}  // namespace rowhouse

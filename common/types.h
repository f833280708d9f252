// Strong types for the words of the system, so that two integers are never swapped by accident.
//
// Each is as large as its representation and trivially copyable: arrays of Key travel as raw bytes.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>
#include <utility>

namespace rowhouse {

template <typename Tag, typename Rep>
class Strong {
 public:
  using rep = Rep;

  constexpr Strong() = default;
  constexpr explicit Strong(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }
  constexpr auto operator<=>(const Strong&) const = default;

  template <typename H>
  friend H AbslHashValue(H state, Strong s) {
    return H::combine(std::move(state), s.value_);
  }
  friend std::ostream& operator<<(std::ostream& out, Strong s) { return out << +s.value_; }

 private:
  Rep value_ = 0;
};

// Any 64-bit number names a row; 0 and 2^64-1 are keys like others.
using Key = Strong<struct KeyTag, uint64_t>;
// 64-bit hash of a table's name; see TableIdOf in table_spec.h.
using TableId = Strong<struct TableIdTag, uint64_t>;
// Distinguishes tables that bore the same name one after another. The first is 1; 0 means "none".
using Generation = Strong<struct GenerationTag, uint32_t>;
using SlotId = Strong<struct SlotIdTag, uint16_t>;
using ShardId = Strong<struct ShardIdTag, uint32_t>;
// Version of the slot map.
using Epoch = Strong<struct EpochTag, uint64_t>;
// Position in one shard's push log. The first record is 1; 0 means "before every record".
using Lsn = Strong<struct LsnTag, uint64_t>;
// Names one continuous history of a cluster; a restore starts a new one.
using Timeline = Strong<struct TimelineTag, uint64_t>;
using ClientId = Strong<struct ClientIdTag, uint64_t>;
// Counts the lives of one client id; the highest known one fences those below it.
using Incarnation = Strong<struct IncarnationTag, uint64_t>;
// Numbers a client's pushes over all shards.
using Sequence = Strong<struct SequenceTag, uint64_t>;
// Optimizer step of one worker, from 1.
using Step = Strong<struct StepTag, uint64_t>;
// Number of the last checkpoint announced to whoever marks a push.
using Mark = Strong<struct MarkTag, uint64_t>;

static_assert(sizeof(Key) == 8 && sizeof(SlotId) == 2);

}  // namespace rowhouse

template <typename Tag, typename Rep>
struct std::hash<rowhouse::Strong<Tag, Rep>> {
  size_t operator()(rowhouse::Strong<Tag, Rep> s) const noexcept {
    return std::hash<Rep>()(s.value());
  }
};

#include "common/wire/checksum.h"

// Decides on the instruction set once, at the first call.
#define XXH_STATIC_LINKING_ONLY  // the state is made here
#define XXH_DISPATCH_DISABLE_REPLACE
#include <xxh_x86dispatch.h>

#include <new>

namespace rowhouse {
namespace {

XXH3_state_t* StateIn(std::byte* memory) { return reinterpret_cast<XXH3_state_t*>(memory); }

}  // namespace

uint64_t Checksum(std::span<const std::byte> bytes) {
  return XXH3_64bits_dispatch(bytes.data(), bytes.size());
}

uint64_t Checksum(std::span<const std::span<const std::byte>> pieces) {
  if (pieces.size() == 1) return Checksum(pieces[0]);
  StreamChecksum checksum;
  for (const auto piece : pieces) checksum.Add(piece);
  return checksum.value();
}

StreamChecksum::StreamChecksum() {
  static_assert(sizeof(state_) == sizeof(XXH3_state_t));
  static_assert(alignof(StreamChecksum) >= alignof(XXH3_state_t));
  XXH3_64bits_reset(new (state_) XXH3_state_t);
}

void StreamChecksum::Add(std::span<const std::byte> bytes) {
  XXH3_64bits_update_dispatch(StateIn(state_), bytes.data(), bytes.size());
}

uint64_t StreamChecksum::value() const {
  return XXH3_64bits_digest(reinterpret_cast<const XXH3_state_t*>(state_));
}

}  // namespace rowhouse

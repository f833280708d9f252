#include "common/wire/checksum.h"

// Decides on the instruction set once, at the first call.
#define XXH_STATIC_LINKING_ONLY  // the state is made here
#define XXH_DISPATCH_DISABLE_REPLACE
#include <xxh_x86dispatch.h>

namespace rowhouse {

uint64_t Checksum(std::span<const std::byte> bytes) {
  return XXH3_64bits_dispatch(bytes.data(), bytes.size());
}

uint64_t Checksum(std::span<const std::span<const std::byte>> pieces) {
  if (pieces.size() == 1) return Checksum(pieces[0]);
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (const auto piece : pieces) XXH3_64bits_update_dispatch(&state, piece.data(), piece.size());
  return XXH3_64bits_digest(&state);
}

}  // namespace rowhouse
